//! What components of one tariff name.

use crate::model::Calendar;
use crate::series::Series;

pub(super) struct Names<'a> {
    pub(super) calendars: &'a [(String, Calendar)],
    pub(super) series: &'a [Series],
    pub(super) currency: &'a str,
}
