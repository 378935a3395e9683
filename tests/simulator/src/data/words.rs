//! The word lists that records are made of. All people and companies are invented.

/// A name as people write it, and in plain letters for an e-mail address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    pub(crate) written: &'static str,
    pub(crate) plain: &'static str,
}

const fn name(written: &'static str, plain: &'static str) -> Name {
    Name { written, plain }
}

pub(crate) static GIVEN_NAMES: &[Name] = &[
    name("Amara", "amara"),
    name("Ben", "ben"),
    name("Chloé", "chloe"),
    name("Dmitri", "dmitri"),
    name("Elif", "elif"),
    name("Farah", "farah"),
    name("Grace", "grace"),
    name("Håkon", "hakon"),
    name("Ines", "ines"),
    name("José María", "josemaria"),
    name("Kenji", "kenji"),
    name("Łucja", "lucja"),
    name("Mary-Ann", "maryann"),
    name("Noor", "noor"),
    name("Oluwaseun", "oluwaseun"),
    name("Priya", "priya"),
    name("Quentin", "quentin"),
    name("Rosa", "rosa"),
    name("Søren", "soren"),
    name("Tomás", "tomas"),
    name("伟", "wei"),
    name("יעל", "yael"),
    name("Zoë", "zoe"),
    name("X Æ", "xae"),
];

pub(crate) static FAMILY_NAMES: &[Name] = &[
    name("Andersson", "andersson"),
    name("Brown", "brown"),
    name("Castillo Núñez", "castillonunez"),
    name("D'Angelo", "dangelo"),
    name("Eriksen", "eriksen"),
    name("Fischer", "fischer"),
    name("García", "garcia"),
    name("Huỳnh", "huynh"),
    name("İnan", "inan"),
    name("Jones-Smith", "jonessmith"),
    name("Kowalczyk", "kowalczyk"),
    name("Lefèvre", "lefevre"),
    name("Müller", "muller"),
    name("Nakamura", "nakamura"),
    name("O'Brien", "obrien"),
    name("Papadopoulos", "papadopoulos"),
    name("Quispe", "quispe"),
    name("Reid", "reid"),
    name("Szabó", "szabo"),
    name("Taylor", "taylor"),
    name("van der Berg", "vanderberg"),
    name("Wójcik", "wojcik"),
    name("李", "li"),
    name("Žižka", "zizka"),
];

/// The first letters of a domain, too: plain letters only.
pub(crate) static COMPANY_STEMS: &[&str] = &[
    "Alder",
    "Birchwood",
    "Cobalt",
    "Driftline",
    "Evergreen",
    "Foxglove",
    "Granite",
    "Harbour",
    "Ironbridge",
    "Juniper",
    "Kestrel",
    "Lakeside",
    "Meridian",
    "Northwind",
    "Orchard",
    "Pinecrest",
    "Quarry",
    "Riverbend",
    "Stonefield",
    "Tidewater",
    "Umbra",
    "Valeview",
    "Westgate",
    "Yarrow",
];

pub(crate) static COMPANY_KINDS: &[&str] = &[
    "Clinic",
    "Dental",
    "Diagnostics",
    "Foods, Inc.",
    "Group",
    "Health",
    "Insurance",
    "Labs",
    "Logistics",
    "& Partners",
    "Pharmacy",
    "Software",
    "\"Prime\" Services",
    "Therapy",
];

pub(crate) static JOB_TITLES: &[&str] = &[
    "Accountant",
    "Buyer",
    "Chief of Staff",
    "Clinic Manager",
    "Data Engineer",
    "Head of Operations",
    "Nurse",
    "Office Manager",
    "Physiotherapist",
    "Practice Owner",
    "Purchasing Lead",
    "Receptionist",
    "VP, Sales",
];

pub(crate) static CITIES: &[&str] = &[
    "Boston",
    "Cambridge",
    "Chicago",
    "Dublin",
    "Genève",
    "København",
    "Kraków",
    "London",
    "München",
    "New York",
    "São Paulo",
    "St. John's",
    "Tōkyō",
    "Zürich",
];

pub(crate) static STATES: &[&str] = &["CA", "CO", "IL", "MA", "NY", "OR", "TX", "VT", "WA"];

pub(crate) static COUNTRIES: &[&str] = &[
    "Brazil",
    "Côte d'Ivoire",
    "Denmark",
    "Germany",
    "Ireland",
    "Japan",
    "Poland",
    "Switzerland",
    "United Kingdom",
    "United States",
];

pub(crate) static STREETS: &[&str] = &[
    "Birch Lane",
    "Elm Street",
    "Harbour Road",
    "King's Parade",
    "Rue de l'Église",
    "Main St.",
    "Straße des 17. Juni",
    "Upper Mill Way",
];

/// Area codes that go with the fictional numbers 555-0100 to 555-0199.
pub(crate) static AREA_CODES: &[&str] = &["212", "303", "312", "415", "503", "617", "718", "802"];

pub(crate) static FREQUENCIES: &[&str] = &["daily", "weekly", "monthly", "never"];

pub(crate) static REMARKS: &[&str] = &[
    "Asked for a second quote.",
    "Happy with the service; may expand to a second site.",
    "No answer. Will try again next week.",
    "Prefers to be contacted in writing.",
    "Renewal due in spring, decision with the board.",
    "Sent the brochure & price list.",
    "Wants a demo, after the holidays.",
    "Wrong department, was put through.",
];

pub(crate) static PRODUCTS: &[&str] = &[
    "Annual plan",
    "Blood pressure monitor",
    "Consultation, 30 min",
    "First-aid kit",
    "Monthly plan",
    "Onboarding",
    "Orthopaedic insole (pair)",
    "Thermometer",
    "Vaccine cooler 40 l",
    "Wheelchair hire",
];

pub(crate) static SUBJECTS: &[&str] = &[
    "Appointment could not be booked",
    "Billing question",
    "Cannot log in",
    "Delivery is late",
    "Insurance not accepted",
    "Invoice has the wrong name",
    "Request for records",
    "Thank you!",
];

pub(crate) static CONDITIONS: &[&str] = &[
    "chest pain on exertion",
    "chronic migraine",
    "lower back pain",
    "persistent cough",
    "seasonal allergies",
    "sleep disturbance",
];

pub(crate) static MEDICINES: &[&str] =
    &["atorvastatin 20 mg", "cetirizine 10 mg", "ibuprofen 400 mg", "salbutamol inhaler"];

/// Diagnosis codes in the notation of ICD-10.
pub(crate) static DIAGNOSES: &[&str] =
    &["E11.9", "F32.1", "G43.909", "I10", "J30.2", "J45.20", "M54.5", "R07.89", "Z00.00"];

pub(crate) static PHYSICIANS: &[&str] =
    &["Dr. A. Osei", "Dr. B. Lindqvist", "Dr. C. Moreau", "Dr. D. Haddad", "Dr. E. Tanaka"];

pub(crate) static CURRENCIES: &[&str] = &["USD", "EUR", "GBP", "JPY"];

pub(crate) static DEAL_NAMES: &[&str] = &[
    "Expansion to second site",
    "Flu campaign",
    "New clinic equipment",
    "Pilot",
    "Renewal 2026",
    "Staff training",
    "Website & booking",
];

pub(crate) static MODELS: &[&str] =
    &["Ambulance type B", "Cargo bike", "Mobile clinic", "Transfer van", "Wheelchair taxi"];
