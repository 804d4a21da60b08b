//! The parameters of a call for a page.

use chrono::{Days, NaiveDate};
use url::form_urlencoded;

use super::filter::Filter;
use crate::{
    api::envelope::fault,
    settings::SimulatorSettings,
    traffic::RequestContext,
    wire::{HttpRequest, HttpResponse},
    world::{Calendar, Dataset, ProductNames, Snapshot},
};

/// The parameters, and what follows from them and the settings.
pub(super) struct PageQuery<'a> {
    pub(super) settings: &'a SimulatorSettings,
    pub(super) dataset: Dataset,
    pub(super) names: ProductNames<'a>,
    /// `None` if the requested date is too old to be shown.
    pub(super) snapshot: Option<Snapshot>,
    pub(super) filter: Option<Filter>,
    /// The filter as it was sent; empty for none.
    pub(super) filter_text: String,
    date_text: Option<String>,
    /// Maximum number of rows of the page.
    pub(super) top: usize,
    /// Number of rows before the page.
    pub(super) skip: usize,
}

impl<'a> PageQuery<'a> {
    /// # Errors
    /// When a parameter is not valid: the fault to send.
    pub(super) fn parse(
        calendar: &Calendar,
        dataset: Dataset,
        context: &RequestContext<'a>,
    ) -> Result<Self, HttpResponse> {
        let RequestContext {
            request,
            settings,
            today,
            ..
        } = *context;
        let refused = |text: &str| fault(400, "3000", text);
        let number = |name: &str, default: usize| match request.query_value(name) {
            None => Ok(default),
            Some(text) => text
                .parse::<usize>()
                .map_err(|_| refused(&format!("{name} is not a number of rows."))),
        };
        let top = number("top", settings.max_top)?.min(settings.max_top);
        let skip = number("skip", 0)?;
        if top == 0 {
            return Err(refused("top is not a number of rows."));
        }
        if request.query_value("groupby").is_some() {
            return Err(refused("groupby is not part of the simulation."));
        }
        let filter_text = request.query_value("filter").unwrap_or_default();
        let filter = match &*filter_text {
            "" => None,
            text => Some(Filter::parse(text, dataset).map_err(|problem| refused(&problem))?),
        };
        let date_text = request.query_value("processedDateTime");
        let date = match &date_text {
            None => None,
            Some(text) => Some(date_of(text).ok_or_else(|| {
                refused("processedDateTime is not a date, with or without a time.")
            })?),
        };
        let reach = Days::new(settings.reach_days.into());
        let earliest = today.checked_sub_days(reach).unwrap_or(NaiveDate::MIN);
        let is_in_reach = date.is_none_or(|date| date >= earliest);
        let snapshot = || {
            let snapshot = calendar.snapshot(dataset, date, today, settings.restate.as_ref());
            snapshot.varied(settings.varied_from)
        };
        Ok(Self {
            settings,
            dataset,
            names: ProductNames::new(settings, request.header("x-locale"), today),
            snapshot: is_in_reach.then(snapshot),
            filter,
            filter_text,
            date_text,
            top,
            skip,
        })
    }

    /// A link to the page that begins after `skip` rows, with the path of this call.
    pub(super) fn link(&self, request: &HttpRequest, skip: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("top", &self.top.to_string());
        query.append_pair("skip", &skip.to_string());
        if self.filter.is_some() {
            query.append_pair("filter", &self.filter_text);
        }
        if let Some(date) = &self.date_text {
            query.append_pair("processedDateTime", date);
        }
        let path = request.path.trim_start_matches('/');
        let parts_of_version = if path.starts_with("partner/") { 2 } else { 1 };
        let slash = path.match_indices('/').nth(parts_of_version - 1);
        let (version, rest) = slash.map_or(("v1", path), |(at, _)| (&path[..at], &path[at + 1..]));
        let rest = format!("{rest}?{}", query.finish());
        let (settings, origin) = (self.settings, request.origin());
        let form = settings.commercial_next_link;
        form.link(&settings.next_link_host, &origin, version, &rest)
    }
}

/// The date in a date, or in a date with a time of any zone.
fn date_of(text: &str) -> Option<NaiveDate> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00"));
    let is_time = time.len() >= 5 && time.starts_with(|first: char| first.is_ascii_digit());
    date.parse().ok().filter(|_| is_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_may_have_a_time_of_any_zone() {
        let date = NaiveDate::from_ymd_opt(2026, 4, 21);
        for text in [
            "2026-04-21",
            "2026-04-21T00:00:00",
            "2026-04-21T10:30:00+00:00",
        ] {
            assert_eq!(date_of(text), date, "{text}");
        }
        for text in ["yesterday", "2026-02-30", "2026-04-21T", "2026-04-21Tnoon"] {
            assert_eq!(date_of(text), None, "{text}");
        }
    }
}
