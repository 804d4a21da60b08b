//! What Microsoft sells, as far as this simulator needs it: product names, the
//! workloads whose use is counted under each, and the service that reports them.
//! The names are the real ones; everything about who buys what is in `world`.

/// One of the two services that process usage figures, each at its own pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Office,
    Dynamics,
}

impl Service {
    /// The `serviceName` of a row.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Office => "o365",
            Self::Dynamics => "crm",
        }
    }
}

/// Something whose use is counted.
#[derive(Debug, PartialEq)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// The share of seats that use it in a settled, ordinary company.
    pub(crate) typical_share: f64,
    /// How often its use exceeds the seats bought.
    pub(crate) overrun_chance: f64,
}

const fn workload(name: &'static str, typical_share: f64, overrun_chance: f64) -> Workload {
    Workload {
        name,
        typical_share,
        overrun_chance,
    }
}

static EXCHANGE: Workload = workload("Exchange", 0.86, 0.022);
static SHAREPOINT: Workload = workload("SharePoint", 0.58, 0.012);
static TEAMS: Workload = workload("Teams", 0.74, 0.018);
// Yammer is open to people without a seat, so it runs over more than the rest.
static YAMMER: Workload = workload("Yammer", 0.07, 0.11);
static APPS: Workload = workload("Microsoft 365 Apps", 0.79, 0.015);
static SKYPE: Workload = workload("Skype For Business", 0.12, 0.0);
static CRM: Workload = workload("Microsoft Dynamics CRM", 0.63, 0.02);

static CRM_ONLY: [&Workload; 1] = [&CRM];

/// A product a customer can hold.
#[derive(Debug, PartialEq)]
pub(crate) struct Product {
    pub(crate) name: &'static str,
    pub(crate) service: Service,
    pub(crate) workloads: &'static [&'static Workload],
    /// The company sizes, in seats, that buy it.
    pub(crate) fits: (f64, f64),
    /// How often it is chosen, against the others that fit.
    pub(crate) weight: f64,
    /// Whether it is on its way out: the holders drop it rather than grow.
    pub(crate) retiring: bool,
}

const fn office(
    name: &'static str,
    workloads: &'static [&'static Workload],
    fits: (f64, f64),
    weight: f64,
) -> Product {
    Product {
        name,
        service: Service::Office,
        workloads,
        fits,
        weight,
        retiring: false,
    }
}

const fn dynamics(name: &'static str, fits: (f64, f64), weight: f64) -> Product {
    Product {
        name,
        service: Service::Dynamics,
        workloads: &CRM_ONLY,
        fits,
        weight,
        retiring: false,
    }
}

const ANY: (f64, f64) = (0.0, 1.0e9);
// Microsoft caps the Business suites at 300 seats.
const SMALL: (f64, f64) = (0.0, 300.0);
const LARGE: (f64, f64) = (60.0, 1.0e9);

/// The suites; every customer has one as its main product.
pub(crate) static SUITES: [Product; 9] = [
    office(
        "Microsoft 365 Business Basic",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER],
        SMALL,
        3.0,
    ),
    office(
        "Microsoft 365 Business Standard",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER, &APPS],
        SMALL,
        5.0,
    ),
    office(
        "Microsoft 365 Business Premium",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER, &APPS],
        SMALL,
        4.0,
    ),
    office(
        "Office 365 E1",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER],
        ANY,
        0.8,
    ),
    office(
        "Office 365 E3",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER, &APPS],
        ANY,
        1.2,
    ),
    office(
        "Office 365 E5",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER, &APPS],
        LARGE,
        0.5,
    ),
    office(
        "Microsoft 365 E3",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER, &APPS],
        LARGE,
        3.0,
    ),
    office(
        "Microsoft 365 E5",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER, &APPS],
        LARGE,
        1.5,
    ),
    office(
        "Microsoft 365 F3",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER],
        LARGE,
        0.7,
    ),
];

/// What is bought besides the main suite, for some of the people.
pub(crate) static EXTRAS: [Product; 12] = [
    office("Exchange Online (Plan 1)", &[&EXCHANGE], ANY, 4.0),
    office("Exchange Online (Plan 2)", &[&EXCHANGE], ANY, 1.5),
    office(
        "Exchange Online Archiving for Exchange Online",
        &[&EXCHANGE],
        ANY,
        1.6,
    ),
    office("Exchange Online Kiosk", &[&EXCHANGE], LARGE, 0.8),
    office("SharePoint Online (Plan 1)", &[&SHAREPOINT], ANY, 0.8),
    office("Microsoft Teams Essentials", &[&TEAMS], SMALL, 1.0),
    office("Microsoft 365 Apps for business", &[&APPS], SMALL, 2.0),
    Product {
        name: "Skype for Business Online (Plan 2)",
        service: Service::Office,
        workloads: &[&SKYPE],
        fits: ANY,
        weight: 0.7,
        retiring: true,
    },
    dynamics("Dynamics 365 Sales Enterprise", LARGE, 3.0),
    dynamics("Dynamics 365 Sales Professional", ANY, 2.4),
    dynamics("Dynamics 365 Customer Service Enterprise", LARGE, 2.4),
    dynamics("Dynamics 365 Team Members", ANY, 1.4),
];
