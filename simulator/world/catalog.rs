//! The products that Microsoft sells, as far as the simulator needs them: their real names, the
//! workloads whose use is counted for each, and the service that reports them.

/// One of the two services that process usage figures, each on its own schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Office,
    Dynamics,
}

impl Service {
    /// The `serviceName` of a customer's row, the `serviceCode` of a partner-wide one.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Office => "o365",
            Self::Dynamics => "crm",
        }
    }

    /// The `serviceName` of a partner-wide row.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Office => "Microsoft Office 365",
            Self::Dynamics => "Microsoft Dynamics 365",
        }
    }
}

/// An application whose active users are counted.
#[derive(Debug, PartialEq)]
pub(crate) struct Workload {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    /// The share of seats that is active in an average company.
    pub(crate) typical_share: f64,
    /// The probability that more people are active than there are seats.
    pub(crate) overrun_chance: f64,
}

pub(super) const fn workload(
    code: &'static str,
    name: &'static str,
    typical_share: f64,
    overrun_chance: f64,
) -> Workload {
    Workload {
        code,
        name,
        typical_share,
        overrun_chance,
    }
}

pub(super) static EXCHANGE: Workload = workload("EXO", "Exchange", 0.86, 0.022);
pub(super) static SHAREPOINT: Workload = workload("SPO", "SharePoint", 0.58, 0.012);
pub(super) static TEAMS: Workload = workload("TEAMS", "Teams", 0.74, 0.018);
// People without a seat can use Yammer, so its use exceeds the seats most often.
pub(super) static YAMMER: Workload = workload("YAMMER", "Yammer", 0.07, 0.11);
pub(super) static APPS: Workload = workload("APPS", "Microsoft 365 Apps", 0.79, 0.015);
static SKYPE: Workload = workload("SFB", "Skype For Business", 0.12, 0.0);
pub(super) static CRM: Workload = workload("CRM", "Microsoft Dynamics CRM", 0.63, 0.02);

static CRM_ONLY: [&Workload; 1] = [&CRM];

/// A product a customer can hold.
#[derive(Debug, PartialEq)]
pub(crate) struct Product {
    /// A GUID in upper case. It stays the same when the name changes.
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) service: Service,
    pub(crate) workloads: &'static [&'static Workload],
    /// The smallest and the largest company, in seats, that buys it.
    pub(crate) fits: (f64, f64),
    /// How often it is chosen relative to the others.
    pub(crate) weight: f64,
    /// Whether Microsoft retires it: every customer cancels it within a few years.
    pub(crate) retiring: bool,
}

const fn office(
    id: &'static str,
    name: &'static str,
    workloads: &'static [&'static Workload],
    fits: (f64, f64),
    weight: f64,
) -> Product {
    Product {
        id,
        name,
        service: Service::Office,
        workloads,
        fits,
        weight,
        retiring: false,
    }
}

const fn dynamics(id: &'static str, name: &'static str, fits: (f64, f64), weight: f64) -> Product {
    Product {
        id,
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

/// The suites. Every customer has at least one, as its main product.
pub(crate) static SUITES: [Product; 9] = [
    office(
        "3B555118-DA6A-4418-894F-7DF1E2096870",
        "Microsoft 365 Business Basic",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER],
        SMALL,
        3.0,
    ),
    office(
        "F245ECC8-75AF-4F8E-B61F-27D8114DE5F3",
        "Microsoft 365 Business Standard",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER, &APPS],
        SMALL,
        5.0,
    ),
    office(
        "CBDC14AB-D96C-4C30-B9F4-6ADA7CDC1D46",
        "Microsoft 365 Business Premium",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER, &APPS],
        SMALL,
        4.0,
    ),
    office(
        "18181A46-0D4E-45CD-891E-60AABD171B4E",
        "Office 365 E1",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER],
        ANY,
        0.8,
    ),
    office(
        "6FD2C87F-B296-42F0-B197-1E91E994B900",
        "Office 365 E3",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER, &APPS],
        ANY,
        1.2,
    ),
    office(
        "C7DF2760-2C81-4EF7-B578-5B5392B571DF",
        "Office 365 E5",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER, &APPS],
        LARGE,
        0.5,
    ),
    office(
        "05E9A617-0261-4CEE-BB44-138D3EF5D965",
        "Microsoft 365 E3",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER, &APPS],
        LARGE,
        3.0,
    ),
    office(
        "06EBC4EE-1BB5-47DD-8120-11324BC54E06",
        "Microsoft 365 E5",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER, &APPS],
        LARGE,
        1.5,
    ),
    office(
        "66B55226-6B4F-492C-910C-A3B7A3C9D993",
        "Microsoft 365 F3",
        &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER],
        LARGE,
        0.7,
    ),
];

/// Products that are bought besides the main suite, for some of the people.
pub(crate) static EXTRAS: [Product; 12] = [
    office(
        "4B9405B0-7788-4568-ADD1-99614E613B69",
        "Exchange Online (Plan 1)",
        &[&EXCHANGE],
        ANY,
        4.0,
    ),
    office(
        "19EC0D23-8335-4CBD-94AC-6050E30712FA",
        "Exchange Online (Plan 2)",
        &[&EXCHANGE],
        ANY,
        1.5,
    ),
    office(
        "EE02FD1B-340E-4A4B-B355-4A514E4C8943",
        "Exchange Online Archiving for Exchange Online",
        &[&EXCHANGE],
        ANY,
        1.6,
    ),
    office(
        "80B2D799-D2BA-4D2A-8842-FB0D0F3A4B82",
        "Exchange Online Kiosk",
        &[&EXCHANGE],
        LARGE,
        0.8,
    ),
    office(
        "1FC08A02-8B3D-43B9-831E-F76859E04E1A",
        "SharePoint Online (Plan 1)",
        &[&SHAREPOINT],
        ANY,
        0.8,
    ),
    office(
        "3AB6ABFF-666F-4424-BFB7-F0BC274EC7BC",
        "Microsoft Teams Essentials",
        &[&TEAMS],
        SMALL,
        1.0,
    ),
    office(
        "CDD28E44-67E3-425E-BE4C-737FAB2899D3",
        "Microsoft 365 Apps for business",
        &[&APPS],
        SMALL,
        2.0,
    ),
    Product {
        id: "D42C793F-6C78-4F43-92CA-E8F6A02B035F",
        name: "Skype for Business Online (Plan 2)",
        service: Service::Office,
        workloads: &[&SKYPE],
        fits: ANY,
        weight: 0.7,
        retiring: true,
    },
    dynamics(
        "1E1A282C-9C54-43A2-9310-98EF728FAACE",
        "Dynamics 365 Sales Enterprise",
        LARGE,
        3.0,
    ),
    dynamics(
        "BE9F9771-1C64-4618-9907-244325141096",
        "Dynamics 365 Sales Professional",
        ANY,
        2.4,
    ),
    dynamics(
        "749742BF-0D37-4158-A120-33567104DEEB",
        "Dynamics 365 Customer Service Enterprise",
        LARGE,
        2.4,
    ),
    dynamics(
        "7AC9FE77-66B7-4E5E-9E46-10EED1CFF547",
        "Dynamics 365 Team Members",
        ANY,
        1.4,
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_product_has_its_own_id() {
        let products = || SUITES.iter().chain(&EXTRAS);
        let ids: HashSet<_> = products()
            .map(|product| uuid::Uuid::try_parse(product.id).unwrap())
            .collect();
        assert_eq!(ids.len(), products().count());
        assert!(products().all(|product| product.id == product.id.to_uppercase()));
    }
}
