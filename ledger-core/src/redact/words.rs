//! The words that the rules know, as flags: spoken digits, cues such as `card`, and words of
//! addresses. One look-up in a table serves all rules.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::terms;

/// Flags and value of a word. A word that no rule knows has none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Word {
    pub(super) flags: u64,
    /// Value of a number, an ordinal, a month, or the letter of a spelling alphabet.
    pub(super) value: u8,
}

macro_rules! flags {
    ($($name:ident = $bit:literal: $doc:literal;)+) => {
        $(#[doc = $doc] pub(super) const $name: u64 = 1 << $bit;)+
    };
}

flags! {
    DIGIT = 0: "One spoken digit.";
    OH = 1: "`oh`, a zero beside other digits.";
    TEEN = 2: "10 to 19.";
    TENS = 3: "20 to 90.";
    TIMES = 4: "`double` and `triple`.";
    HUNDRED = 5: "`hundred` and `thousand`.";
    ORDINAL = 6: "1st to 31st.";
    MONTH = 7: "A month.";
    FILLER = 8: "A word that may be between digits of one number.";
    AND = 9: "`and`.";
    STOP = 10: "A function word: no part of an address, a street or a name.";
    LABEL = 11: "A speaker before a colon.";
    CARD = 12: "A payment card.";
    NOT_CARD = 13: "Before `card`: no payment card.";
    CVV = 14: "A card verification code.";
    SECURITY = 15: "`security`, `verification`.";
    CODE = 16: "`code`.";
    NUMBER = 17: "`number`, `value`, `id`.";
    DIGITS = 18: "`digit`, `digits`.";
    BACK = 19: "Back of a card.";
    PIN = 20: "`pin`.";
    EXPIRY = 21: "Expiry of a card.";
    SOCIAL = 22: "`social`.";
    SSN = 23: "A social security or taxpayer number.";
    PHONE = 24: "A telephone or a call.";
    OWN = 25: "Before `number`: one of a telephone.";
    BIRTH = 26: "Birth.";
    RECORD_HEAD = 27: "Before `number` or `id`: one of a patient.";
    RECORD = 28: "A number of a patient.";
    NHS = 29: "An NHS number.";
    NPI = 30: "A provider identifier.";
    MEDICARE = 31: "A Medicare number.";
    IBAN = 32: "An IBAN.";
    OTHER = 33: "A number of another kind: orders, prices, times.";
    ZIP = 34: "A postal code.";
    UNIT = 35: "After a number: a quantity.";
    STREET = 36: "Suffix of a street.";
    FLAT = 37: "Before the number of a flat.";
    DOT = 38: "A spoken point.";
    AT = 39: "A spoken `@`.";
    JOIN = 40: "Another spoken mark inside an address.";
    TLD = 41: "A top-level domain.";
    STATE = 42: "A state of the US.";
    TERM = 43: "First word of a diagnosis or a medication.";
    SPELL = 44: "A word of the spelling alphabet.";
    LAST = 45: "`last`.";
    TAX = 46: "`tax`.";
    ADDRESS = 47: "An address.";
    FRONT = 48: "Front of a card.";
    NOT_PIN = 49: "After `pin`: a verb.";
    DASH = 50: "A spoken separator of digits.";
    EMAIL = 51: "An e-mail address.";
    PLUS = 52: "`plus`.";
    COMPASS = 53: "A direction of a street.";
    NOT_CODE = 54: "Before `code`: none of a card.";
}

/// Flags with the words that have them, separated by blanks.
const LISTS: &[(u64, &str)] = &[
    (OH | FILLER, "oh"),
    (TIMES, "double twice triple treble"),
    (HUNDRED, "hundred thousand"),
    (
        FILLER,
        "uh um er erm ah hm hmm mm mhm mmhmm huh okay ok yes yeah yep yup right sure alright \
         then next so well go ahead on continue got it good great perfect thanks thank you please \
         comma space",
    ),
    (DASH | JOIN, "dash hyphen"),
    (JOIN, "underscore minus"),
    (PLUS | JOIN, "plus"),
    (AND | STOP, "and"),
    (
        STOP,
        "a an the is are was were be been am i i'm i'd i'll i've you your yours you're my mine me \
         he she it its it's that that's this these those they we our us his her him them their to \
         of for from with by or but if as at in into onto on off up down out over under about \
         after before between through than not no yes do does did don't have has had will would \
         can could should may might must let let's there there's here what what's which who when \
         where why how any some all both each more most other such only own same too very just \
         also again still ever never now today tomorrow yesterday tonight morning afternoon evening \
         back go goes went come came get got give take took make made need want like say said says \
         tell ask see look call called put send mail ship please okay sure thanks hi hello hey name \
         going gonna live lives lived moved works per until till since during because while",
    ),
    (
        LABEL,
        "user ai bot agent assistant caller customer patient speaker human operator rep client",
    ),
    (CARD, "card cards visa mastercard amex maestro debit cardholder amx"),
    (
        NOT_CARD,
        "gift business sim report greeting birthday green id insurance member medicare health index post",
    ),
    (CVV, "cvv cvc cvn csc cid cvvs cvcs ccv"),
    (SECURITY, "security verification validation safety"),
    (CODE, "code codes"),
    (NUMBER, "number numbers value values id identifier number's no"),
    (NOT_CODE, "area promo promotion discount coupon dress qr door access alarm country bar"),
    (DIGITS, "digit digits"),
    (BACK, "back reverse signature strip rear backside"),
    (FRONT, "front"),
    (PIN, "pin pins pincode"),
    (NOT_PIN, "the it down up a an that this him her them on board page note"),
    (EXPIRY, "exp expiry expires expiration expiring expire thru"),
    (SOCIAL, "social soc"),
    (SSN, "ssn itin ssn's"),
    (TAX, "tax taxpayer"),
    (
        PHONE,
        "phone telephone cell cellphone mobile call calling called callback reach fax contact text \
         landline ring whatsapp sms dial phones tel",
    ),
    (
        OWN,
        "my your his her our best good new home work office direct another different husband's wife's",
    ),
    (BIRTH, "birth born birthday birthdate birthdays dob bday"),
    (
        RECORD_HEAD,
        "medical patient patient's member membership insurance health subscriber chart hospital",
    ),
    (RECORD, "mrn"),
    (NHS, "nhs"),
    (NPI, "npi"),
    (MEDICARE, "medicare mbi"),
    (IBAN, "iban"),
    (
        OTHER,
        "order orders invoice tracking confirmation reference ticket serial lot batch model part \
         item sku case claim flight room gate voucher transaction price total balance amount cost \
         costs meter article po appointment reservation queue chapter page version policy \
         subscription product receipt docket account bus step score extension ext",
    ),
    (ZIP, "zip zipcode postal postcode"),
    (
        UNIT,
        "dollars dollar bucks euros euro pounds cents percent minutes minute hours hour seconds \
         days day weeks week months month years year am pm o'clock degrees people miles mile items \
         units pages chairs boxes kilos times visits feet inches points st nd rd th mg ml million",
    ),
    (
        STREET,
        "street st avenue ave road rd boulevard blvd drive dr lane ln court ct place pl terrace \
         circle highway hwy parkway pkwy square trail loop crescent close way mews row alley plaza",
    ),
    (COMPASS, "north south east west northeast northwest southeast southwest n s e w"),
    (FLAT, "apartment apt suite unit flat ste"),
    (DOT, "dot point period"),
    (AT, "at"),
    (TLD, "com org net edu gov co uk io de us info biz me ai example test mil fr ca au eu app dev"),
    (LAST, "last"),
    (ADDRESS, "address"),
    (EMAIL, "email e-mail mail emails gmail"),
    (
        STATE,
        "alabama alaska arizona arkansas california colorado connecticut delaware florida georgia \
         hawaii idaho illinois indiana iowa kansas kentucky louisiana maine maryland massachusetts \
         michigan minnesota mississippi missouri montana nebraska nevada ohio oklahoma oregon \
         pennsylvania tennessee texas utah vermont virginia washington wisconsin wyoming",
    ),
];

/// Words with a value, from the first value on.
const VALUES: &[(u64, u8, &str)] = &[
    (DIGIT, 0, "zero one two three four five six seven eight nine"),
    (DIGIT, 0, "nought"),
    (DIGIT, 0, "naught"),
    (TEEN, 10, "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"),
    (
        ORDINAL,
        1,
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth \
         thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth",
    ),
    (ORDINAL, 30, "thirtieth"),
    (
        MONTH,
        1,
        "january february march april may june july august september october november december",
    ),
    (MONTH, 1, "jan feb mar apr may jun jul aug sep oct nov dec"),
    (MONTH, 9, "sept"),
    (
        SPELL,
        b'a',
        "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november \
         oscar papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu",
    ),
];
const TENS_WORDS: &str = "twenty thirty forty fifty sixty seventy eighty ninety";

static TABLE: LazyLock<FxHashMap<&'static [u8], Word>> = LazyLock::new(|| {
    let mut table: FxHashMap<&'static [u8], Word> = FxHashMap::default();
    let mut add = |word: &'static str, flags: u64, value: u8| {
        let entry = table.entry(word.as_bytes()).or_default();
        entry.flags |= flags;
        if value > 0 {
            entry.value = value;
        }
    };
    for (flags, words) in LISTS {
        words.split_whitespace().for_each(|word| add(word, *flags, 0));
    }
    for (flags, first, words) in VALUES {
        (*first..).zip(words.split_whitespace()).for_each(|(value, word)| add(word, *flags, value));
    }
    (2..).zip(TENS_WORDS.split_whitespace()).for_each(|(tens, word)| add(word, TENS, tens * 10));
    add("fourty", TENS, 40);
    add("double", TIMES, 2);
    add("twice", TIMES, 2);
    add("triple", TIMES, 3);
    add("treble", TIMES, 3);
    terms::first_words().for_each(|word| add(word, TERM, 0));
    table
});

/// Longest word that a rule knows, in bytes.
const LONGEST: usize = 24;

/// Returns what the rules know of a word, without case. A possessive counts as its word.
pub(super) fn look_up(word: &[u8]) -> Word {
    let mut folded = [0; LONGEST];
    if word.len() > LONGEST {
        return Word::default();
    }
    for (place, byte) in folded.iter_mut().zip(word) {
        *place = byte.to_ascii_lowercase();
    }
    let word = &folded[..word.len()];
    if let Some(known) = TABLE.get(word) {
        return *known;
    }
    let singular = word.strip_suffix(b"'s").or_else(|| word.strip_suffix(b"s"));
    if let Some(known) = singular.filter(|it| it.len() > 2).and_then(|it| TABLE.get(it)) {
        let is_possessive = word.ends_with(b"'s");
        let flags = if is_possessive { known.flags } else { known.flags & TERM };
        return Word { flags, value: known.value };
    }
    let flags = if terms::has_stem(word) { TERM } else { 0 };
    Word { flags, value: 0 }
}
