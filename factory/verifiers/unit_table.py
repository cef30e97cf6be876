"""The table of units: every name of each, and its exact size in base units.

Guarantees: sizes are exact fractions. A name with several sizes or meanings (`ton`, `ounce`, `pound`, `MB`,
`degree`) has them all, each under the choice that gives it, so that whoever compares can see where the
choice matters. Months and years have a base of their own, for a month has no exact number of days; degrees
of angle and of each temperature scale too. Left out: rates of exchange, temperature scales' offsets.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

# One unit a line: its names, then `=` and its size in units above it; nothing after `=` for a base.
# `choice: size; choice: size` for a name with several. Names of three letters and more get a plural s.
_ROWS: Final = """
m meter metre =
cm centimeter centimetre = 1/100 m
mm millimeter millimetre = 1/1000 m
dm decimeter decimetre = 1/10 m
μm um micrometer micrometre micron = 1/1000000 m
nm nanometer nanometre = 1/1000000000 m
km kilometer kilometre = 1000 m
in inch inches = 127/5000 m
ft foot feet = 12 in
yd yard = 3 ft
mi mile = 5280 ft
nmi nautical_mile = 1852 m
ly light_year lightyear = 9460730472580800 m
acre = 4840 yd^2
ha hectare = 10000 m^2
l L liter litre = 1/1000 m^3
ml mL milliliter millilitre cc = 1/1000 l
cl cL centiliter centilitre = 1/100 l
dl dL deciliter decilitre = 1/10 l
kl kL kiloliter kilolitre = 1000 l
gal gallon = us: 231 in^3; uk: 454609/100000 l
qt quart = 1/4 gal
pt pint = 1/8 gal
floz fluid_ounce fl_oz = us: 1/128 gal; uk: 1/160 gal
cup = us: 1/16 gal; metric: 1/4 l
tbsp tablespoon = us: 1/256 gal; metric: 15 ml
tsp teaspoon = us: 1/768 gal; metric: 5 ml
kg kilogram kilogramme kilo =
g gram gramme gm = 1/1000 kg
mg milligram = 1/1000 g
μg ug mcg microgram = 1/1000000 g
tonne metric_ton metric_tonne = 1000 kg
avoirdupois = mass: 45359237/100000000 kg; force: 1 lbf
lb = us: 1 avoirdupois
pound = mass: 1 lb; force: 1 lbf; money: 1 £
oz ounce = weight: 1/16 lb; fluid: 1 floz
ton = us: 2000 lb; metric: 1000 kg
short_ton = 2000 lb
long_ton = 2240 lb
s sec second =
ms millisecond = 1/1000 s
μs microsecond = 1/1000000 s
ns nanosecond = 1/1000000000 s
min minute = 60 s
h hr hour = 60 min
day = 24 h
week wk = 7 day
fortnight = 14 day
month =
year yr = 12 month
decade = 10 year
century = 100 year
millennium = 1000 year
mph = 1 mi h^-1
kph kmh kmph = 1 km h^-1
mps = 1 m s^-1
fps = 1 ft s^-1
knot = 1 nmi h^-1
mpg = 1 mi gal^-1
$ dollar usd USD buck =
€ euro eur EUR =
£ gbp GBP =
¥ yen jpy JPY =
₹ rupee inr INR Rs =
yuan cny CNY rmb RMB =
peso mxn MXN =
AUD australian_dollar =
CAD canadian_dollar =
NZD new_zealand_dollar =
SGD singapore_dollar =
HKD hong_kong_dollar =
CHF swiss_franc =
SEK swedish_krona =
NOK norwegian_krone =
DKK danish_krone =
PLN zloty =
CZK =
HUF =
TRY =
BRL =
ZAR =
KRW ₩ =
RUB ₽ ruble rouble =
ILS ₪ shekel =
THB ฿ baht =
VND ₫ =
IDR rupiah =
PHP ₱ =
¢ cent = dollar: 1/100 $; euro: 1/100 €
pence = 1/100 £
% percent pct percentage per_cent =
° degree deg = angle: 1 °angle; celsius: 1 °C; fahrenheit: 1 °F
°angle =
°C celsius centigrade degree_celsius degrees_celsius degree_centigrade degrees_centigrade =
°F fahrenheit degree_fahrenheit degrees_fahrenheit =
K kelvin =
rad radian =
A amp ampere =
mA milliampere milliamp = 1/1000 A
mol mole =
mmol millimole = 1/1000 mol
N newton = 1 kg m s^-2
kN kilonewton = 1000 N
lbf pound_force = 45359237/100000000 9806650/1000000 N
dyne = 1/100000 N
J joule = 1 N m
kJ kilojoule = 1000 J
MJ megajoule = 1000000 J
mJ millijoule = 1/1000 J
cal calorie = small: 4184/1000 J; large: 4184 J
kcal Cal kilocalorie = 4184 J
eV electronvolt electron_volt = 1602176634/10000000000000000000000000000 J
W watt = 1 J s^-1
kW KW kw kilowatt = 1000 W
MW megawatt = 1000000 W
mW milliwatt = 1/1000 W
Wh = 1 W h
kWh KWH KWh kwh = 1 kW h
MWh = 1 MW h
Pa pascal = 1 N m^-2
kPa kilopascal = 1000 Pa
MPa megapascal = 1000000 Pa
hPa hectopascal = 100 Pa
atm atmosphere = 101325 Pa
psi = 1 lbf in^-2
Hz hz hertz = 1 s^-1
kHz khz KHz kilohertz = 1000 Hz
MHz mhz megahertz = 1000000 Hz
GHz ghz gigahertz = 1000000000 Hz
V volt = 1 W A^-1
mV millivolt = 1/1000 V
kV kilovolt = 1000 V
Ω ohm = 1 V A^-1
bit =
byte B = 8 bit
kB KB kilobyte = decimal: 1000 byte; binary: 1024 byte
MB megabyte = decimal: 1000000 byte; binary: 1048576 byte
GB gigabyte = decimal: 1000000000 byte; binary: 1073741824 byte
TB terabyte = decimal: 1000000000000 byte; binary: 1099511627776 byte
KiB kibibyte = 1024 byte
MiB mebibyte = 1048576 byte
GiB gibibyte = 1073741824 byte
TiB tebibyte = 1099511627776 byte
kbit kilobit = 1000 bit
Mbit megabit = 1000000 bit
Gbit gigabit = 1000000000 bit
Kb kb = bits: 1 kbit; bytes: 1 kB
Mb mb = bits: 1 Mbit; bytes: 1 MB
Gb gb = bits: 1 Gbit; bytes: 1 GB
kbps Kbps = 1000 bit s^-1
Mbps mbps = 1000000 bit s^-1
Gbps gbps = 1000000000 bit s^-1
dozen = 12
"""

CHOICES: Final = {
    "customary": ("us", "uk", "metric"),
    "pound": ("mass", "force", "money"),
    "ounce": ("weight", "fluid"),
    "cent": ("dollar", "euro"),
    "degree": ("angle", "celsius", "fahrenheit"),
    "calorie": ("small", "large"),
    "prefix": ("decimal", "binary"),
    "letter": ("bits", "bytes"),
}
"""What has to be chosen before a name with several sizes has one, and the choices there are."""

_QUESTION: Final = {choice: question for question, choices in CHOICES.items() for choice in choices}
_UNPLURALLED: Final = frozenset(
    ("floz", "pence", "celsius", "fahrenheit", "centigrade", "hertz", "century", "millennium")
)
_IRREGULAR: Final = {
    "lbs": "lb", "kgs": "kg", "cms": "cm", "mms": "mm", "kms": "km", "yds": "yd", "pts": "pt", "qts": "qt",
    "hrs": "h", "yrs": "year", "wks": "week", "centuries": "century", "millennia": "millennium",
}  # fmt: skip

_ALIASES: dict[str, str] = {}
_SIZES: dict[str, dict[str, str]] = {}
for _row in _ROWS.strip().splitlines():
    _names, _, _size = (part.strip() for part in _row.partition("="))
    _first = _names.split()[0]
    for _name in _names.split():
        _ALIASES[_name] = _first
        if len(_name) > 2 and _name.islower() and _name not in _UNPLURALLED and _name[-1] != "s":
            _ALIASES.setdefault(_name + "s", _first)
    if ":" in _size:
        _SIZES[_first] = {choice.strip(): size for choice, size in (s.split(":") for s in _size.split(";"))}
    else:
        _SIZES[_first] = {"": _size}
ALIASES: Final[Mapping[str, str]] = _ALIASES | _IRREGULAR
"""Every spelling of a unit, and the one that stands for it; `_` joins the words of a name."""

Size = tuple[tuple[tuple[str, int], ...], Fraction]
"""Base units with their powers, sorted by name, and the factor before them."""


def lookup(word: str) -> str | None:
    """The unit a word names, or None. Case tells `mW` from `MW`; where it tells nothing it is ignored."""
    if word in ALIASES:
        return ALIASES[word]
    folded = word.lower()
    if len(word) == 1 or (len(word) == 2 and word[0] == "M" and word[1].islower()):
        return None  # M: mega
    if word[:1] == "m" and word[1:2].isupper():
        return None  # m: milli
    return ALIASES.get(folded)


@functools.cache
def questions(unit: str) -> frozenset[str]:
    """What has to be chosen before `unit`, the first name of a row, has one size."""
    found = {_QUESTION[choice] for choice in _SIZES[unit] if choice}
    for size in _SIZES[unit].values():
        for term in size.split():
            name = term.partition("^")[0]
            if name in _SIZES:
                found |= questions(name)
    return frozenset(found)


def size(unit: str, chosen: Mapping[str, str]) -> Size | None:
    """The size of `unit`, the first name of a row; None where it has none under what is `chosen`."""
    sizes = _SIZES[unit]
    if "" in sizes:
        definition = sizes[""]
    else:
        question = _QUESTION[next(iter(sizes))]
        if chosen[question] not in sizes:
            return None
        definition = sizes[chosen[question]]
    if not definition:
        return ((unit, 1),), Fraction(1)
    powers: Counter[str] = Counter()
    factor = Fraction(1)
    for term in definition.split():
        if term[0].isdigit():
            factor *= Fraction(term)
            continue
        name, _, power = term.partition("^")
        part = size(name, chosen)
        if part is None:
            return None
        exponent = int(power or 1)
        factor *= part[1] ** exponent
        for base, times in part[0]:
            powers[base] += times * exponent
    return tuple(sorted((base, power) for base, power in powers.items() if power)), factor
