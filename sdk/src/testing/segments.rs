//! A double of the text a content policy sees.

use crate::views::SegmentsDouble;

/// A double of [`Segments`](crate::Segments).
///
/// ```
/// use tollgate_guest::testing::Segments;
/// let segments = Segments::of([("system", "text", "Be brief."), ("user", "text", "Hello")]);
/// assert_eq!(segments.view().role(1), "user");
/// assert_eq!(segments.view().text(7), "");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Segments(Vec<(String, String, String)>);

impl Segments {
    /// Segments as role, kind and text.
    pub fn of<'a>(segments: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>) -> Self {
        let owned = |(role, kind, text): (&str, &str, &str)| {
            (role.to_owned(), kind.to_owned(), text.to_owned())
        };
        Self(segments.into_iter().map(owned).collect())
    }

    /// The view a guest gets.
    pub fn view(&self) -> crate::Segments<'_> {
        crate::Segments::of_double(self)
    }

    fn at(&self, position: u32) -> (String, String, String) {
        self.0.get(position as usize).cloned().unwrap_or_default()
    }
}

impl SegmentsDouble for Segments {
    fn count(&self) -> u32 {
        self.0.len() as u32
    }
    fn role(&self, position: u32) -> String {
        self.at(position).0
    }
    fn kind(&self, position: u32) -> String {
        self.at(position).1
    }
    fn text(&self, position: u32) -> String {
        self.at(position).2
    }
}
