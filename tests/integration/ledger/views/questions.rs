//! The twenty questions of `demo/questions.sql` can be asked as they stand, and their answers are
//! right.

use crate::support::World;

const QUESTIONS: &str = include_str!("../../../../demo/questions.sql");
const LEDGER: &str = include_str!("customers/ledger.sql");
const NAIVE: &str = include_str!("customers/naive.sql");

/// The questions with their statements, which have no semicolon here.
fn questions() -> Vec<(&'static str, &'static str)> {
    let paragraphs = QUESTIONS.trim_end().split("\n\n").skip(1);
    let questions = paragraphs.map(|paragraph| paragraph.split_once('\n').unwrap());
    questions
        .map(|(question, statement)| (question, statement.strip_suffix(';').unwrap()))
        .collect()
}

#[test]
fn there_are_twenty_questions_of_one_line_and_one_short_statement_each() {
    let questions = questions();
    assert_eq!(questions.len(), 20);
    for (number, (question, statement)) in (1..).zip(questions) {
        assert!(
            question.starts_with(&format!("-- {number}. ")) && question.ends_with('?'),
            "{question}"
        );
        assert!(statement.lines().count() <= 5, "{question}");
        assert!(!statement.contains(';'), "{question}");
    }
    assert!(QUESTIONS.lines().all(|line| line.chars().count() <= 100));
}

/// The answers to some of the questions, from the ledger alone.
const ANSWERS: [(usize, &str); 7] = [
    (
        1,
        "select product_name, count(*) as customers, sum(qualified) as seats, sum(active),
            sum(coalesce(sold, qualified) - coalesce(active, 0)) as unused
        from naive_product group by product_name
        order by seats desc nulls last, product_name limit 10",
    ),
    (
        4,
        "select customer_name, product_name, workload_name, a.active as week_ago,
            coalesce(n.active, 0) as active, coalesce(n.active, 0) - a.active as change
        from (
            select customer_id, present_name as product_name, workload_name,
                sum(licenses_active) as active
            from naive_in_force where date = (select max(processed_date) - 7 from naive_usage)
            group by 1, 2, 3
        ) as a
        left join (
            select customer_id, present_name as product_name, workload_name,
                sum(licenses_active) as active
            from naive_current group by 1, 2, 3
        ) as n using (customer_id, product_name, workload_name)
        join customer using (customer_id)
        order by abs(coalesce(n.active, 0) - a.active) desc, customer_id, 2, 3 limit 5",
    ),
    (
        13,
        "select customer_name, product_name, sold, qualified, active, unused
        from naive_product
        cross join lateral (
            select coalesce(sold, qualified) - coalesce(active, 0) as unused
        ) as w
        join customer using (customer_id)
        where product_name !~* '(free|trial)' and unused > 0
        order by unused desc, customer_id, product_name limit 5",
    ),
    (
        14,
        "select month, sum(licenses_qualified), sum(licenses_active),
            month < date_trunc('month', now() at time zone 'UTC')
        from naive_usage as u
        where workload_name = 'Exchange' and processed_date_time = (
            select max(n.processed_date_time) from naive_usage as n
            where n.customer_id = u.customer_id and n.service = u.service and n.month = u.month
        )
        group by month order by month",
    ),
    (
        18,
        "select 'paid', count(distinct product_name), sum(qualified), sum(active),
            sum(coalesce(sold, qualified) - coalesce(active, 0))
        from naive_product where product_name !~* '(free|trial)'",
    ),
    (
        19,
        "select channel, service, count(distinct customer_id), sum(qualified) as seats, sum(active)
        from naive_product group by 1, 2 order by seats desc nulls last",
    ),
    (
        20,
        "select date, sum(licenses_active), sum(licenses_qualified),
            date = (select max(processed_date) from naive_usage)
        from naive_in_force where workload_name = 'Teams' and date > current_date - 30
        group by date order by date",
    ),
];

#[tokio::test]
async fn every_question_has_an_answer_and_the_answers_are_those_of_the_ledger() {
    let world = World::new().await;
    world.execute(LEDGER).await;
    world.execute(NAIVE).await;
    world
        .execute("insert into adoption_target values ('Teams', 0.5)")
        .await;
    let questions = questions();
    for (question, statement) in &questions {
        let rows = world.lines(statement).await;
        // No figure of this ledger was corrected.
        assert_eq!(
            rows.is_empty(),
            question.contains("corrected"),
            "{question}"
        );
    }
    for (number, definition) in ANSWERS {
        let (question, statement) = questions[number - 1];
        // Under the columns' names of the question, whatever the definition calls them.
        let names = format!("select * from ({statement}) as q limit 0");
        let definition = format!("({names}) union all (select * from ({definition}) as d)");
        assert_eq!(
            world.lines(statement).await,
            world.lines(&definition).await,
            "{question}"
        );
    }
}
