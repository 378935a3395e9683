//! Page sizes that adapt: a server that cannot answer for a hundred records may answer for twelve.

/// How many records to ask for.
///
/// It starts at the most the server allows, is halved whenever a page has proved too much
/// ([`super::HttpError::asks_too_much`]), and doubles again after twenty good pages in a row: heavy records tend to
/// stand together, and small pages cost the budget as much as large ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize {
    current: u32,
    most: u32,
    good_pages: u32,
}

/// Good pages in a row before a page grows again. Growing too early costs a few timeouts, growing late costs requests.
const PAGES_BEFORE_GROWTH: u32 = 20;

impl PageSize {
    /// Starts at `most`, which is at least 1.
    pub fn new(most: u32) -> Self {
        Self { current: most, most, good_pages: 0 }
    }

    /// How many records the next page should have: between 1 and the most.
    pub fn get(self) -> u32 {
        self.current
    }

    /// Notes that a page of this size was too much. `false` if there is no smaller one.
    #[must_use]
    pub fn halve(&mut self) -> bool {
        let halved = self.current > 1;
        self.current = (self.current / 2).max(1);
        self.good_pages = 0;
        halved
    }

    /// Notes that a page came.
    pub fn good(&mut self) {
        self.good_pages += 1;
        if self.good_pages >= PAGES_BEFORE_GROWTH {
            self.current = self.current.saturating_mul(2).min(self.most);
            self.good_pages = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_down_to_one_and_grows_back_to_the_most() {
        let mut size = PageSize::new(100);
        let mut sizes = vec![size.get()];
        while size.halve() {
            sizes.push(size.get());
        }
        assert_eq!(sizes, [100, 50, 25, 12, 6, 3, 1]);
        for _ in 0..PAGES_BEFORE_GROWTH - 1 {
            size.good();
        }
        assert_eq!(size.get(), 1);
        size.good();
        assert_eq!(size.get(), 2);
        for _ in 0..PAGES_BEFORE_GROWTH * 10 {
            size.good();
        }
        assert_eq!(size.get(), 100);
    }
}
