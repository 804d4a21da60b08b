//! Holds runs at a certain point, so that a test can act in the middle of a run.

use sqlx::{Postgres, Transaction};

use crate::support::{World, until};

/// Runs wait until this is dropped or released, or until the database server ends.
pub(crate) struct Hold(Transaction<'static, Postgres>);

impl World {
    /// Makes runs wait before they commit more than this number of customers.
    pub(crate) async fn hold_after(&self, customers: usize) -> Hold {
        self.execute(&format!(
            "create or replace function wait_for_the_test() returns trigger language plpgsql as $$ \
                begin
                 if (select count(*) > {customers} from sync_customer) then
                     perform pg_advisory_xact_lock(77);
                 end if;
                 return null;
             end $$;
             create or replace trigger wait_for_the_test after insert on sync_customer
             for each statement execute function wait_for_the_test()"
        ))
        .await;
        let mut transaction = self.pool.begin().await.unwrap();
        sqlx::query("select pg_advisory_xact_lock(77)")
            .execute(&mut *transaction)
            .await
            .unwrap();
        Hold(transaction)
    }

    /// Waits until a run is held.
    pub(crate) async fn held(&self) {
        let waiting = "select count(*) from pg_stat_activity
                       where wait_event = 'advisory' and datname = current_database()";
        until("a run waits for the test", async || {
            (self.value::<i64>(waiting).await > 0).then_some(())
        })
        .await;
    }
}

impl Hold {
    pub(crate) async fn release(self) {
        self.0.rollback().await.unwrap();
    }
}
