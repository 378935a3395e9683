//! Many readers over one list, in any order of events, of servers that are right, that change, and that lie.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What is answered.
#[derive(Debug, Clone)]
struct Page {
    ids: Vec<u64>,
    next: Next,
}

/// How a server answers, given what it holds: a number asked for, and the page.
type Answer<'a> = &'a dyn Fn(&BTreeSet<u64>, Option<u64>, u64) -> Page;

/// As HubSpot does.
fn honest(held: &BTreeSet<u64>, from: Option<u64>, records: u64) -> Page {
    let mut rest = held.range(from.unwrap_or_default()..).copied();
    let ids: Vec<u64> = rest.by_ref().take(records as usize).collect();
    let next = match (ids.last(), rest.next()) {
        (Some(last), Some(_)) => Next::Number(last + 1),
        _ => Next::End,
    };
    Page { ids, next }
}

struct Reader {
    lane: Lane,
    /// Where its next page begins.
    cursor: Option<u64>,
    /// What has been answered and not been looked at.
    answer: Option<Page>,
}

/// A run over a list.
struct Run {
    slices: Slices,
    readers: Vec<Reader>,
    held: BTreeSet<u64>,
    /// In the order in which they came.
    came: Vec<u64>,
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Event {
    /// A reader asks, or looks at what came.
    Step(usize),
    /// A further reader asks for a slice.
    Split,
    /// It asks, and goes away.
    SplitInVain,
    Archive(usize),
    Create(u64),
}

impl Run {
    fn new(held: &BTreeSet<u64>) -> Self {
        Self::with_smallest(held, 3)
    }

    fn with_smallest(held: &BTreeSet<u64>, smallest: u64) -> Self {
        Self { slices: Slices::new(true, smallest), readers: Vec::new(), held: held.clone(), came: Vec::new() }
    }

    fn split(&mut self) {
        if let Some(from) = self.slices.hand_out() {
            let lane = Slices::lane(from);
            self.readers.push(Reader { cursor: lane.from(), lane, answer: None });
        }
    }

    /// One reader asks, or looks at what came; whether it is still reading.
    fn step(&mut self, index: usize, records: u64, answer: Answer<'_>) -> Result<(), OutOfOrder> {
        let reader = &mut self.readers[index];
        let Some(page) = reader.answer.take() else {
            reader.answer = Some(answer(&self.held, reader.cursor, records));
            return Ok(());
        };
        let listed = Listed { records: page.ids.len(), ids: Some(&page.ids), next: page.next };
        let Some(claim) = self.slices.claim(&mut reader.lane, listed)? else {
            self.readers.remove(index);
            return Ok(());
        };
        self.slices.came(&mut reader.lane, &claim);
        self.came.extend(&page.ids[claim.kept.clone()]);
        if reader.lane.from().is_none() && self.slices.may_split() && !self.slices.are_several() {
            let last = self.held.last().copied().unwrap_or_default();
            self.slices.reaches_to(last, None);
        }
        match page.next {
            _ if claim.is_last => {
                self.slices.finish(&reader.lane);
                self.readers.remove(index);
            }
            Next::Number(next) => reader.cursor = Some(next),
            Next::End | Next::Opaque => panic!("a slice that is not over has no next page"),
        }
        Ok(())
    }

    /// All events, and then whatever is left; the records that were there all the time.
    fn play(&mut self, events: &[Event], records: u64, answer: Answer<'_>) -> Result<BTreeSet<u64>, OutOfOrder> {
        let mut throughout = self.held.clone();
        self.split();
        for event in events {
            match event {
                Event::Step(reader) if !self.readers.is_empty() => {
                    self.step(reader % self.readers.len(), records, answer)?;
                }
                Event::Step(_) => {}
                Event::Split => self.split(),
                Event::SplitInVain => {
                    if let Some(from) = self.slices.hand_out() {
                        self.slices.give_back(from);
                    }
                }
                Event::Archive(place) => {
                    let id = self.held.iter().nth(place % self.held.len().max(1)).copied();
                    if let Some(id) = id {
                        self.held.remove(&id);
                        throughout.remove(&id);
                    }
                }
                Event::Create(id) => {
                    self.held.insert(*id);
                }
            }
        }
        while !self.readers.is_empty() {
            self.step(0, records, answer)?;
        }
        assert_eq!(self.slices.are_finished(), Ok(true));
        Ok(throughout)
    }

    /// The records that came; none of them twice.
    fn distinct(&self) -> BTreeSet<u64> {
        let distinct: BTreeSet<u64> = self.came.iter().copied().collect();
        assert_eq!(distinct.len(), self.came.len(), "a record came twice");
        distinct
    }
}

/// Ids in clusters, with gaps of any size, up to the largest there is.
fn ids() -> impl Strategy<Value = BTreeSet<u64>> {
    let cluster = (prop_oneof![0..2_000_u64, Just(1 << 53), Just(u64::MAX - 600), any::<u64>()], 1..4_u64, 0..120_u64);
    prop::collection::vec(cluster, 0..4).prop_map(|clusters| {
        let ids = clusters.into_iter().flat_map(|(start, step, count)| {
            (0..count).map(move |number| start.saturating_add(number * step)).filter(|id| *id < u64::MAX)
        });
        ids.collect()
    })
}

fn event(changes: bool) -> impl Strategy<Value = Event> {
    let weight = u32::from(changes);
    prop_oneof![
        12 => any::<usize>().prop_map(Event::Step),
        3 => Just(Event::Split),
        1 => Just(Event::SplitInVain),
        weight => any::<usize>().prop_map(Event::Archive),
        weight => (0..3_000_u64).prop_map(Event::Create),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn of_a_list_that_stays_every_record_comes_once(
        ids in ids(), events in prop::collection::vec(event(false), 0..200), records in 1..30_u64,
    ) {
        let mut run = Run::new(&ids);
        prop_assert_eq!(run.play(&events, records, &honest).unwrap(), ids.clone());
        prop_assert_eq!(run.distinct(), ids);
    }

    /// It may be said to be out of order: where records come and go at the very place where two slices meet.
    #[test]
    fn of_a_list_that_changes_every_record_that_stays_comes_once(
        ids in ids(), events in prop::collection::vec(event(true), 0..300), records in 1..30_u64,
    ) {
        let mut run = Run::new(&ids);
        if let Ok(throughout) = run.play(&events, records, &honest) {
            let came = run.distinct();
            let lost: Vec<_> = throughout.difference(&came).collect();
            prop_assert!(lost.is_empty(), "{lost:?}");
        }
        run.distinct();
    }

    /// Numbers that nobody has given are answered with records further on, further back, or in no order. Whatever one reader
    /// alone would have got, comes once, or the list is said to be out of order.
    #[test]
    fn lies_about_computed_numbers_never_change_what_comes(
        ids in ids(), events in prop::collection::vec(event(false), 0..200), records in 1..30_u64, lie in 0..5_u8,
    ) {
        let lying = move |held: &BTreeSet<u64>, from: Option<u64>, records: u64| {
            let Some(number) = from.filter(|from| !from.checked_sub(1).is_some_and(|before| held.contains(&before))) else {
                return honest(held, from, records);
            };
            let moved = match lie {
                0 => number.saturating_add(40),
                1 => number.saturating_sub(40),
                2 => 0,
                _ => number,
            };
            let mut page = honest(held, Some(moved), records);
            match lie {
                3 => page.ids.reverse(),
                4 => page = Page { ids: Vec::new(), next: Next::End },
                _ => {}
            }
            page
        };
        let mut run = Run::new(&ids);
        if run.play(&events, records, &lying).is_ok() {
            prop_assert_eq!(run.distinct(), ids);
        }
    }

    /// A list that leaves out, here and there, what lies ahead: where two slices meet that is seen.
    #[test]
    fn records_never_come_twice_whatever_is_answered(
        ids in ids(), events in prop::collection::vec(event(true), 0..200), records in 1..30_u64, salt in any::<u64>(),
    ) {
        let wild = move |held: &BTreeSet<u64>, from: Option<u64>, records: u64| {
            let mut page = honest(held, from, records);
            let draw = from.unwrap_or_default().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt;
            if draw.is_multiple_of(5) && page.ids.len() > 1 {
                page.ids.remove(draw as usize / 7 % page.ids.len());
            }
            page
        };
        let mut run = Run::new(&ids);
        drop(run.play(&events, records, &wild));
        run.distinct();
    }
}

/// Eight readers, each a page a round: hardly ever has one nothing to do.
#[test]
fn readers_have_work_to_the_end() {
    const READERS: usize = 8;
    const PAGE: u64 = 100;
    let even: BTreeSet<u64> = (0..200_000).map(|number| 151 + number * 7).collect();
    // As accounts have them that are old: many ids near one another, then few, further and further apart.
    let uneven: BTreeSet<u64> = (0..200_000_u64).map(|number| number + number.pow(3) / 1_000).collect();
    for ids in [even, uneven] {
        let mut run = Run::with_smallest(&ids, SMALLEST_SLICE);
        let mut rounds = 0;
        loop {
            while run.readers.len() < READERS {
                let before = run.readers.len();
                run.split();
                if run.readers.len() == before {
                    break;
                }
            }
            if run.readers.is_empty() {
                break;
            }
            rounds += 1;
            // All ask, and then all look: whoever gives up or ends does so at the end of the round.
            for index in 0..run.readers.len() {
                run.step(index, PAGE, &honest).unwrap();
            }
            for index in (0..run.readers.len()).rev() {
                run.step(index, PAGE, &honest).unwrap();
            }
        }
        let pages = ids.len() as u64 / PAGE;
        let busy = pages as f64 / (rounds * READERS) as f64;
        assert!(busy > 0.9, "{pages} pages in {rounds} rounds: {busy}");
        assert_eq!(run.distinct(), ids);
    }
}

fn numbers(ids: &[u64], next: Next) -> Listed<'_> {
    Listed { records: ids.len(), ids: Some(ids), next }
}

/// Two readers: the first has read 1 to 3, and the second a page that begins behind 60.
fn two(second: &[u64]) -> (Slices, Lane, Lane) {
    let mut slices = Slices::new(true, 3);
    let mut one = Slices::lane(slices.hand_out().unwrap());
    let first = slices.claim(&mut one, numbers(&[1, 2, 3], Next::Number(4))).unwrap().unwrap();
    slices.came(&mut one, &first);
    assert_eq!(slices.hand_out(), None, "nobody knows where it ends");
    slices.reaches_to(120, None);
    let from = slices.hand_out().unwrap();
    assert_eq!(from, 62);
    let mut other = Slices::lane(from);
    let page = slices.claim(&mut other, numbers(second, Next::Number(second.last().unwrap() + 1))).unwrap().unwrap();
    slices.came(&mut other, &page);
    (slices, one, other)
}

#[test]
fn a_slice_goes_on_until_it_meets_the_next() {
    let (mut slices, mut one, _) = two(&[64, 65, 66]);
    let claim = slices.claim(&mut one, numbers(&[4, 5], Next::Number(6))).unwrap().unwrap();
    assert!((claim.kept.clone(), claim.is_last) == (0..2, false));
    slices.came(&mut one, &claim);
    let claim = slices.claim(&mut one, numbers(&[7, 63, 64, 65], Next::Number(66))).unwrap().unwrap();
    assert!((claim.kept.clone(), claim.is_last) == (0..2, true), "63 was made meanwhile");
}

#[test]
fn a_record_that_is_gone_where_slices_meet_is_no_reason_to_begin_anew() {
    for page in [[7, 65, 66], [7, 66, 70]] {
        let (mut slices, mut one, _) = two(&[64, 65, 66]);
        let claim = slices.claim(&mut one, numbers(&page, Next::Number(71))).unwrap().unwrap();
        assert_eq!((claim.kept, claim.is_last), (0..1, true), "{page:?}");
    }
}

#[test]
fn what_does_not_fit_ends_all_slices() {
    for (page, next, why) in [
        (&[7, 67, 68][..], Next::Number(69), "past where"),
        (&[7, 65, 67][..], Next::End, ""),
        (&[7, 8][..], Next::End, "ends before"),
        (&[8, 7][..], Next::Number(9), "ascending"),
        (&[3, 4][..], Next::Number(5), "ascending"),
        (&[7, 7][..], Next::Number(8), "ascending"),
    ] {
        let (mut slices, mut one, mut other) = two(&[64, 65, 66]);
        let claim = slices.claim(&mut one, numbers(page, next));
        if why.is_empty() {
            assert!(claim.unwrap().unwrap().is_last, "{page:?}");
            continue;
        }
        let out_of_order = claim.unwrap_err();
        assert!(out_of_order.0.contains(why), "{page:?}: {}", out_of_order.0);
        assert_eq!(slices.claim(&mut other, numbers(&[67], Next::End)), Err(out_of_order), "the others, too");
        assert_eq!((slices.hand_out(), slices.are_finished()), (None, Err(out_of_order)));
    }
    let (mut slices, _, mut other) = two(&[64, 65, 66]);
    let no_numbers = Listed { records: 1, ids: None, next: Next::End };
    slices.claim(&mut other, no_numbers).unwrap_err();
}

#[test]
fn a_page_that_is_listed_anew_is_claimed_anew() {
    let (mut slices, mut one, _) = two(&[64, 65, 66]);
    for (page, kept, is_last) in
        [(&[7, 8, 64][..], 0..2, true), (&[7, 63][..], 0..2, false), (&[8, 63, 65][..], 0..2, true)]
    {
        let claim = slices.claim(&mut one, numbers(page, Next::Number(80))).unwrap().unwrap();
        assert_eq!((claim.kept, claim.is_last), (kept, is_last), "{page:?}");
    }
    // What was made before a slice's first record belongs to the slice before, which will find it.
    let mut slices = Slices::new(true, 3);
    let mut one = Slices::lane(slices.hand_out().unwrap());
    slices.claim(&mut one, numbers(&[1, 2, 3], Next::Number(4))).unwrap();
    slices.reaches_to(120, None);
    slices.came(&mut one, &Claim { kept: 0..3, last_id: Some(3), is_last: false });
    let mut other = Slices::lane(slices.hand_out().unwrap());
    slices.claim(&mut other, numbers(&[64, 65], Next::Number(66))).unwrap();
    let claim = slices.claim(&mut other, numbers(&[63, 65, 66], Next::Number(67))).unwrap().unwrap();
    assert_eq!(claim.kept, 1..3);
}

#[test]
fn one_reader_takes_a_list_as_it_comes() {
    for (first, next) in [
        (&[1, 2, 3][..], Next::Opaque),
        (&[1, 2, 3][..], Next::Number(2)),
        (&[3, 2, 1][..], Next::Number(4)),
        (&[1, 1, 2][..], Next::Number(3)),
    ] {
        let mut slices = Slices::new(true, 3);
        let mut one = Slices::lane(slices.hand_out().unwrap());
        for (page, next) in [(first, next), (&[2, 9, 5][..], Next::End)] {
            let claim = slices.claim(&mut one, numbers(page, next)).unwrap().unwrap();
            assert_eq!(claim, Claim { kept: 0..3, last_id: None, is_last: next == Next::End }.clone_with(&claim));
            slices.came(&mut one, &claim);
            slices.reaches_to(1_000, None);
            assert_eq!((slices.hand_out(), slices.worth()), (None, 0));
        }
        slices.finish(&one);
        assert_eq!(slices.are_finished(), Ok(true));
        assert!(slices.why_one().is_some());
    }
}

impl Claim {
    /// With the other's last id, which only matters between the slices and their lane.
    fn clone_with(self, other: &Self) -> Self {
        Self { last_id: other.last_id, ..self }
    }
}

#[test]
fn a_reader_that_comes_too_late_or_for_nothing_gives_up() {
    let mut slices = Slices::new(true, 3);
    let mut one = Slices::lane(slices.hand_out().unwrap());
    let first = slices.claim(&mut one, numbers(&[1, 2, 3], Next::Number(4))).unwrap().unwrap();
    slices.came(&mut one, &first);
    slices.reaches_to(1_000_000, None);
    // Nothing in the upper half, nor in the upper half of the lower one: the next middles are nearer.
    let mut middles = Vec::new();
    for _ in 0..3 {
        let from = slices.hand_out().unwrap();
        middles.push(from);
        assert_eq!(slices.claim(&mut Slices::lane(from), numbers(&[], Next::End)), Ok(None));
    }
    assert_eq!(middles, [500_002, 250_002, 125_002]);
    // Whoever asks while another is looking gets another middle.
    let (near, far) = (slices.hand_out().unwrap(), slices.hand_out().unwrap());
    assert_ne!(near, far);
    // The first reader comes there before.
    let ids: Vec<u64> = (4..100_000).collect();
    let claim = slices.claim(&mut one, numbers(&ids, Next::Number(100_000))).unwrap().unwrap();
    slices.came(&mut one, &claim);
    assert_eq!(slices.claim(&mut Slices::lane(near), numbers(&[near], Next::Number(near + 1))), Ok(None));
    assert!(!slices.are_several());
}

#[test]
fn a_slice_is_worth_a_reader_by_what_is_left_of_it() {
    let mut slices = Slices::new(true, SMALLEST_SLICE);
    assert_eq!(slices.worth(), u64::MAX, "nobody has begun");
    let mut one = Slices::lane(slices.hand_out().unwrap());
    assert_eq!(slices.worth(), 0);
    let ids: Vec<u64> = (1..=100).map(|number| number * 10).collect();
    let claim = slices.claim(&mut one, numbers(&ids, Next::Number(1_001))).unwrap().unwrap();
    slices.came(&mut one, &claim);
    slices.reaches_to(61_000, None);
    assert!((2_900..=3_100).contains(&slices.worth()), "{}", slices.worth());
    slices.reaches_to(61_000, Some(5_000));
    assert_eq!((slices.worth(), slices.hand_out()), (0, None), "there are not so many");
    let mut slices = Slices::new(false, SMALLEST_SLICE);
    let mut one = Slices::lane(slices.hand_out().unwrap());
    slices.claim(&mut one, numbers(&ids, Next::Number(1_001))).unwrap();
    slices.reaches_to(u64::MAX, None);
    assert_eq!((slices.worth(), slices.why_one()), (0, None), "one reader was wanted");
}
