"""The main part: all contenders, first load and re-run, at several sizes."""

from .contenders import ALL, Job, expected
from .measure import Failed, server_cpu
from .progress import note
from .table import PHASES


def measured(postgres, web, contender, job):
    """One run, as figures by name."""
    transaction = int(postgres.ask("select pg_current_xact_id()")[0][0])
    postgres.ask("checkpoint")
    log, cpu, web_cpu = postgres.log_position(), postgres.cpu(), server_cpu(web)
    cost = contender.run(job)
    return {
        "wall": cost.wall,
        "cpu": cost.cpu,
        "postgres_cpu": postgres.cpu() - cpu,
        "web_cpu": server_cpu(web) - web_cpu,
        "rss": cost.rss,
        "wal": postgres.log_position() - log,
        "versions": contender.versions_since(job, transaction),
    }


def load(settings, postgres, base, web, cache, folder):
    """All contenders at all sizes. They take turns, so that a disturbance meets them all."""
    results = []
    for customers in settings.customers:
        ids, copy = cache.customers(customers)
        chosen = [one for one in ALL if one.name in settings.only]
        field = [
            one(postgres, settings)
            for one in chosen
            if one.name != "dlt" or customers <= settings.dlt_max
        ]
        if len(field) < len(chosen):
            note(
                f"dlt is left out at {customers} customers, "
                "since its runs would take most of the time; see --dlt-max"
            )
        job = Job(base, ids, copy, "bench", settings.concurrency, folder)
        wanted = expected(postgres, job)
        for number in range(1, settings.runs + 1):
            for contender in field:
                postgres.make(job.database)
                contender.prepare(job)
                for phase in PHASES:
                    figures = measured(postgres, web, contender, job)
                    if (found := contender.found(job)) != wanted:
                        raise Failed(
                            f"{contender.title}: the table holds {found} after the {phase}, "
                            f"and should hold {wanted}"
                        )
                    results.append(
                        {
                            "customers": customers,
                            "phase": phase,
                            "contender": contender.name,
                            "run": number,
                        }
                        | figures
                    )
                    note(
                        f"{customers} customers, run {number} of {settings.runs}, "
                        f"{contender.title}, {phase}: {figures['wall']:.2f} s"
                    )
                    # As autovacuum would do until the next day. The first read of new
                    # statistics sets hint bits, which is logged once and must not count as a
                    # cost of the next run.
                    postgres.ask("vacuum (analyze)", job.database)
                    postgres.ask("select count(*) from pg_statistic", job.database)
                postgres.drop(job.database)
    return results
