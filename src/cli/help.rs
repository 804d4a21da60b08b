//! The words of `--help` around what clap makes of the arguments. The man pages are made of the
//! same texts.

/// Examples before options: most readers look for a line to copy.
pub(super) const TEMPLATE: &str = "\
{about-with-newline}
{before-help}{usage-heading} {usage}

{all-args}{after-help}";

pub(super) const PROGRAM: &str = "\
Examples:
  seatledger --config config.toml check      what is ready, and what to mend first
  seatledger --config config.toml login      sign in once, in a browser
  seatledger --config config.toml --backfill
                                             fetch every customer now
  seatledger --config config.toml            run as a daemon, on the schedule
  seatledger --config config.toml status     are the figures up to date, who needs help

  Installed as a service: seatledger-as-service check, which uses the service's user and secrets";

pub(super) const AFTER_PROGRAM: &str = "\
Exit codes:
  0         every customer was fetched and stored, or the daemon was stopped
  1         could not run, and may by itself later: database, sign-in service or API away
  2         wrong command line
  3         ran, and at least one customer failed
  4         could not run, and a person has to act first: sign-in, consent, token file, a permanent
            refusal of the database, an untrusted certificate, tables of a newer version
  78        the configuration is wrong
  129, 130, 143
            a command or a run was stopped by SIGHUP (its terminal was closed), SIGINT or SIGTERM
  status has codes of its own: seatledger status --help

More: man seatledger, man seatledger.toml, and the folder docs of the source or
/usr/share/doc/seatledger";

pub(super) const CHECK: &str = "\
Examples:
  seatledger check            a line for each part; the last line is the first thing to mend
  seatledger check --json     the same as one JSON object";

pub(super) const AFTER_CHECK: &str = "\
Writes nothing to the ledger, spends one refresh token and fetches one customer. Ends within 30 s.

Exit codes:
  0   all parts are ready
  1   something is away, and may be back by itself
  4   a person has to act first
  78  the configuration is wrong

Next: seatledger --backfill, which fetches every customer now";

pub(super) const LOGIN: &str = "\
Examples:
  seatledger login                   in a browser on this machine
  seatledger login --device-code     by a code, in a browser on any machine";

pub(super) const AFTER_LOGIN: &str = "\
The user needs multi-factor authentication and a role that may read the customers' analytics.

Next: seatledger check";

pub(super) const STATUS: &str = "\
Examples:
  seatledger status            one screen: a verdict, the runs, and which customers need a person
  seatledger status --json     the same as one JSON object
  seatledger status --check    one line for Nagios, Icinga, Checkmk, Zabbix and their like
  seatledger status --check --failing 5,20 --consent-days 30,7
                               the same with other bounds";

pub(super) const AFTER_STATUS: &str = "\
Exit codes:
  0   runs keep to the schedule
  1   a run is late or a success overdue, or the database is away or refuses
  78  the configuration is wrong

Exit codes of --check:
  0  OK
  1  WARNING: a run is late, the last one failed, or a bound for WARNING is passed
  2  CRITICAL: no run has succeeded for two ticks of the schedule, signing in was refused, or a
     bound for CRITICAL is passed
  3  UNKNOWN: the database is away or refuses, the command line or the configuration is wrong, or
     it was stopped by a signal";

pub(super) const VERIFY: &str = "\
Examples:
  seatledger verify                         20 customers, chosen at random
  seatledger verify --sample 0              every customer
  seatledger verify --source commercial     the API's other family of collections";

pub(super) const AFTER_VERIFY: &str = "\
It may run beside a daemon, and sends one request at a time.

Exit codes:
  0   nothing differs
  1   could not run: database, sign-in service or API away, or no customer has rows yet
  3   something differs, or a customer could not be asked for
  4   a person has to act first
  78  the configuration is wrong";

pub(super) const EXPORT: &str = "\
Examples:
  seatledger export license_product --out seats.csv
  seatledger export license_usage_current --out usage.parquet
  seatledger export license_waste | head -n 20";

pub(super) const AFTER_EXPORT: &str = "\
All rows are of one moment. A file keeps its old content until the new one is complete.
CSV has the values as they are: before a spreadsheet opens it, see docs/export.md.

Exit codes:
  0   written
  1   could not be written: database away, disk full
  2   there is no such view, or this build cannot write that format
  4   a person has to act first
  78  the configuration is wrong";

pub(super) const REPORT: &str = "\
Examples:
  seatledger report --out reports/              last month, all customers, a file each
  seatledger report --customer GUID --out contoso.html
                                                one customer
  seatledger report --from 2026-07 --to 2026-09 --out q3/ --xlsx
                                                a quarter, with workbooks
  seatledger report --partner 'Contoso Cloud' --logo logo.svg --out reports/
                                                with your name and logo on the cover
  seatledger report --language docs/languages/de.toml --out berichte/
                                                in German";

pub(super) const AFTER_REPORT: &str = "\
Each report is one file that needs no other: open it in a browser, print it to PDF, or send it. The
files have names of customers, and only you may read them. They appear all at once at the end, and
nothing is overwritten.

Exit codes:
  0   every report is written
  1   could not run: the database is away, the ledger is empty, or the files cannot be written
  2   wrong command line, or the place has files already; nothing is written
  3   written, but at least one customer has no report
  4   a person has to act first
  78  the configuration is wrong";

pub(super) const SUPPORT: &str = "\
Examples:
  seatledger support --out seatledger-support.json";

pub(super) const MIGRATE: &str = "\
Examples:
  seatledger migrate     before a daemon of a newer version is started";

pub(super) const GRANTS: &str = "\
Examples:
  seatledger grants --bi-role powerbi              let the role powerbi read the views
  seatledger grants --bi-role powerbi --revoke     take that back";
