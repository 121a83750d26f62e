/**
 * Makes relative dates absolute when something is written down: "next Friday" means nothing a month later. The
 * speaker's words stay, the date follows them in brackets: "next Friday (2026-11-27)". English, German, Spanish,
 * French, Portuguese and Chinese; reckoned in UTC from the day it was said.
 */
export type DatedText = {
  readonly text: string;
  /** The first date named, relative or written out, as `YYYY`, `YYYY-MM` or `YYYY-MM-DD`. */
  readonly first?: string;
};

export function resolveDates(text: string, said: Date): DatedText {
  let first = writtenOut(text, said);
  const resolved = text.replaceAll(relative, (phrase: string, ...rest: readonly unknown[]) => {
    const offset = rest.find((value) => typeof value === "number");
    if (alreadyDated.test(text.slice((typeof offset === "number" ? offset : 0) + phrase.length))) return phrase;
    const date = resolvePhrase(phrase.toLowerCase().replaceAll(/\s+/gu, " "), said);
    if (date === undefined) return phrase;
    first ??= date.replace("week of ", "");
    return `${phrase} (${date})`;
  });
  return first === undefined ? { text: resolved } : { text: resolved, first };
}

/** The last instant of `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, for "true until". */
export function endOfDate(date: string): string {
  const [year = 1970, month, day] = date.split("-").map(Number);
  if (month === undefined) return new Date(Date.UTC(year + 1, 0, 1) - 1).toISOString();
  return new Date(
    (day === undefined ? Date.UTC(year, month, 1) : Date.UTC(year, month - 1, day + 1)) - 1,
  ).toISOString();
}

export function startOfDate(date: string): string {
  const [year = 1970, month = 1, day = 1] = date.split("-").map(Number);
  return new Date(Date.UTC(year, month - 1, day)).toISOString();
}

type Unit = "day" | "week" | "month" | "year" | "weekend";

const alreadyDated = /^\s*[([]\s*(?:week of )?\d{4}/u;

const fixedDays: Readonly<Record<string, number>> = {
  "the day before yesterday": -2,
  vorgestern: -2,
  anteayer: -2,
  "avant-hier": -2,
  anteontem: -2,
  前天: -2,
  yesterday: -1,
  "last night": -1,
  gestern: -1,
  ayer: -1,
  hier: -1,
  ontem: -1,
  昨天: -1,
  today: 0,
  tonight: 0,
  heute: 0,
  hoy: 0,
  "aujourd'hui": 0,
  hoje: 0,
  今天: 0,
  tomorrow: 1,
  morgen: 1,
  mañana: 1,
  demain: 1,
  amanhã: 1,
  明天: 1,
  "the day after tomorrow": 2,
  übermorgen: 2,
  "pasado mañana": 2,
  "après-demain": 2,
  "depois de amanhã": 2,
  后天: 2,
};

const fixedSpans: Readonly<Record<string, readonly [Unit, number]>> = {
  ...spans(
    "week",
    ["last week", "letzte woche", "la semana pasada", "la semaine dernière", "semana passada", "上周"],
    ["this week", "diese woche", "esta semana", "cette semaine", "这周"],
    [
      "next week",
      "nächste woche",
      "la próxima semana",
      "la semana que viene",
      "la semaine prochaine",
      "na próxima semana",
      "semana que vem",
      "下周",
    ],
  ),
  ...spans(
    "month",
    ["last month", "letzten monat", "el mes pasado", "le mois dernier", "mês passado", "上个月"],
    ["this month", "diesen monat", "este mes", "ce mois-ci", "este mês", "这个月"],
    [
      "next month",
      "nächsten monat",
      "el próximo mes",
      "el mes que viene",
      "le mois prochain",
      "no próximo mês",
      "mês que vem",
      "下个月",
    ],
  ),
  ...spans(
    "year",
    ["last year", "letztes jahr", "el año pasado", "l'année dernière", "ano passado", "去年"],
    ["this year", "dieses jahr", "este año", "cette année", "este ano", "今年"],
    [
      "next year",
      "nächstes jahr",
      "el próximo año",
      "el año que viene",
      "l'année prochaine",
      "no próximo ano",
      "ano que vem",
      "明年",
    ],
  ),
  ...spans(
    "weekend",
    ["last weekend", "letztes wochenende"],
    ["this weekend", "dieses wochenende", "este fin de semana", "ce week-end"],
    ["next weekend", "nächstes wochenende"],
  ),
};

const weekdays: Readonly<Record<string, number>> = Object.fromEntries(
  [
    ["sunday", "sonntag", "domingo", "dimanche", "日", "天"],
    ["monday", "montag", "lunes", "lundi", "segunda-feira", "一"],
    ["tuesday", "dienstag", "martes", "mardi", "terça-feira", "二"],
    ["wednesday", "mittwoch", "miércoles", "mercredi", "quarta-feira", "三"],
    ["thursday", "donnerstag", "jueves", "jeudi", "quinta-feira", "四"],
    ["friday", "freitag", "viernes", "vendredi", "sexta-feira", "五"],
    ["saturday", "samstag", "sábado", "samedi", "六"],
  ].flatMap((names, day) => names.map((name) => [name, day] as const)),
);

const units: Readonly<Record<string, Unit>> = Object.fromEntries([
  ...["day", "days", "tag", "tage", "tagen", "día", "días", "jour", "jours", "dia", "dias", "天"].map(
    (word) => [word, "day"] as const,
  ),
  ...["week", "weeks", "woche", "wochen", "semana", "semanas", "semaine", "semaines", "周", "个星期"].map(
    (word) => [word, "week"] as const,
  ),
  ...["month", "months", "monat", "monate", "monaten", "mes", "meses", "mois", "mês", "个月"].map(
    (word) => [word, "month"] as const,
  ),
  ...["year", "years", "jahr", "jahre", "jahren", "año", "años", "an", "ans", "ano", "anos", "年"].map(
    (word) => [word, "year"] as const,
  ),
]);

const counts: Readonly<Record<string, number>> = {
  a: 1,
  an: 1,
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  ein: 1,
  eine: 1,
  einem: 1,
  einer: 1,
  zwei: 2,
  drei: 3,
  vier: 4,
  un: 1,
  una: 1,
  dos: 2,
  tres: 3,
  cuatro: 4,
  une: 1,
  deux: 2,
  trois: 3,
  quatre: 4,
  um: 1,
  uma: 1,
  dois: 2,
  duas: 2,
  três: 3,
  一: 1,
  两: 2,
  三: 3,
  四: 4,
};

const latinWeekday = Object.keys(weekdays)
  .filter((name) => name.length > 1)
  .join("|");
const latinUnit = Object.keys(units)
  .filter((name) => !/\p{Script=Han}/u.test(name))
  .join("|");
const latinCount = `\\d{1,3}|${Object.keys(counts)
  .filter((name) => !/\p{Script=Han}/u.test(name))
  .join("|")}`;
const hanPhrases = [...Object.keys(fixedDays), ...Object.keys(fixedSpans)].filter((name) =>
  /\p{Script=Han}/u.test(name),
);
const latinPhrases = [...Object.keys(fixedDays), ...Object.keys(fixedSpans)]
  .filter((name) => !/\p{Script=Han}/u.test(name))
  .toSorted((one, other) => other.length - one.length)
  .map((name) => name.replaceAll(" ", "\\s+").replaceAll("'", "['’]"));

/** "Morgen" and "mañana" are also the morning: not after an article. */
const relative = new RegExp(
  [
    `(?<!\\p{L})(?<!\\b(?:am|guten|jeden|la|esta|buena|every)\\s)(?:${latinPhrases.join("|")})(?!\\p{L})`,
    `(?<!\\p{L})(?:next|last|this coming|nächsten|kommenden|letzten|el próximo|el pasado)\\s+(?:${latinWeekday})(?!\\p{L})`,
    `(?<!\\p{L})(?:${latinWeekday})\\s+(?:prochain|dernier|que viene|que vem|pasado|passada)(?!\\p{L})`,
    `(?<!\\p{L})(?:in|dentro de|dans|daqui a|vor|hace|il y a|há)\\s+(?:${latinCount})\\s+(?:${latinUnit})(?!\\p{L})`,
    `(?<!\\p{L})(?:${latinCount})\\s+(?:days?|weeks?|months?|years?)\\s+ago(?!\\p{L})`,
    `[上下](?:周|星期)[一二三四五六日天]`,
    `(?:\\d{1,3}|[一两三四])(?:天|周|个星期|个月|年)[后前]`,
    hanPhrases.join("|"),
  ].join("|"),
  "giu",
);

function resolvePhrase(phrase: string, said: Date): string | undefined {
  const plain = phrase.replaceAll("’", "'");
  const days = fixedDays[plain];
  if (days !== undefined) return isoDay(addDays(said, days));
  const span = fixedSpans[plain];
  if (span !== undefined) return isoSpan(span[0], span[1], said);
  return resolveWeekday(plain, said) ?? resolveCount(plain, said);
}

function resolveWeekday(phrase: string, said: Date): string | undefined {
  const han = /^([上下])(?:周|星期)([一二三四五六日天])$/u.exec(phrase);
  if (han !== null) {
    const day = weekdays[han[2] ?? ""];
    return day === undefined ? undefined : isoDay(addDays(monday(said), (han[1] === "下" ? 7 : -7) + ((day + 6) % 7)));
  }
  const name = phrase.split(" ").find((word) => word in weekdays);
  const day = name === undefined ? undefined : weekdays[name];
  if (day === undefined) return undefined;
  const ahead = (day - said.getUTCDay() + 7) % 7 || 7;
  return isoDay(addDays(said, /last|letzten|pasad|passad|dernier/u.test(phrase) ? ahead - 7 || -7 : ahead));
}

function resolveCount(phrase: string, said: Date): string | undefined {
  const match = /(\d{1,3}|[一两三四]|\p{L}+) ?(\p{L}+?)(?: ago|[后前])?$/u.exec(
    phrase.replace(/^(?:in|dentro de|dans|daqui a|vor|hace|il y a|há) /u, ""),
  );
  const count = Number(match?.[1] ?? Number.NaN) || counts[match?.[1] ?? ""];
  const unit = units[match?.[2] ?? ""];
  if (count === undefined || Number.isNaN(count) || unit === undefined) return undefined;
  const back = /^(?:vor|hace|il y a|há) | ago$|前$/u.test(phrase);
  const signed = back ? -count : count;
  if (unit === "day" || unit === "week") return isoDay(addDays(said, signed * (unit === "week" ? 7 : 1)));
  return isoSpan(unit, signed, said);
}

const monthNames: Readonly<Record<string, number>> = Object.fromEntries(
  [
    ["january", "januar", "enero", "janvier", "janeiro"],
    ["february", "februar", "febrero", "février", "fevereiro"],
    ["march", "märz", "marzo", "mars", "março"],
    ["april", "abril", "avril"],
    ["may", "mai", "mayo", "maio"],
    ["june", "juni", "junio", "juin", "junho"],
    ["july", "juli", "julio", "juillet", "julho"],
    ["august", "agosto", "août"],
    ["september", "septiembre", "septembre", "setembro"],
    ["october", "oktober", "octubre", "octobre", "outubro"],
    ["november", "noviembre", "novembre", "novembro"],
    ["december", "dezember", "diciembre", "décembre", "dezembro"],
  ].flatMap((names, month) => names.map((name) => [name, month + 1] as const)),
);
const monthName = Object.keys(monthNames).join("|");
const isoWritten = /(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)/u;
const dayMonth = new RegExp(
  `(?<!\\d)(\\d{1,2})(?:st|nd|rd|th|\\.|er|º)?\\s+(?:of\\s+|de\\s+)?(${monthName})(?:,?\\s+(?:de\\s+)?(\\d{4}))?(?!\\p{L})`,
  "iu",
);
const monthDay = new RegExp(`(?<!\\p{L})(${monthName})\\s+(\\d{1,2})(?:st|nd|rd|th)?(?:,?\\s+(\\d{4}))?(?!\\d)`, "iu");

/** A date without a year is the next one to come. */
function writtenOut(text: string, said: Date): string | undefined {
  const iso = isoWritten.exec(text);
  if (iso !== null) return iso[0];
  const first = dayMonth.exec(text);
  const second = first === null ? monthDay.exec(text) : null;
  const day = Number(first?.[1] ?? second?.[2] ?? Number.NaN);
  const month = monthNames[(first?.[2] ?? second?.[1] ?? "").toLowerCase()];
  if (month === undefined || Number.isNaN(day) || day < 1 || day > 31) return undefined;
  const written = first?.[3] ?? second?.[3];
  const thisYear = said.getUTCFullYear();
  const passed = Date.UTC(thisYear, month - 1, day + 1) <= said.getTime();
  return isoDay(
    new Date(Date.UTC(written === undefined ? thisYear + (passed ? 1 : 0) : Number(written), month - 1, day)),
  );
}

function isoSpan(unit: Unit, offset: number, said: Date): string {
  if (unit === "week") return `week of ${isoDay(addDays(monday(said), offset * 7))}`;
  if (unit === "weekend") return isoDay(addDays(monday(said), 5 + offset * 7));
  if (unit === "year") return String(said.getUTCFullYear() + offset);
  return new Date(Date.UTC(said.getUTCFullYear(), said.getUTCMonth() + offset, 1)).toISOString().slice(0, 7);
}

function spans(
  unit: Unit,
  last: readonly string[],
  current: readonly string[],
  next: readonly string[],
): Record<string, readonly [Unit, number]> {
  return Object.fromEntries([
    ...last.map((phrase) => [phrase, [unit, -1] as const] as const),
    ...current.map((phrase) => [phrase, [unit, 0] as const] as const),
    ...next.map((phrase) => [phrase, [unit, 1] as const] as const),
  ]);
}

function monday(date: Date): Date {
  return addDays(date, -((date.getUTCDay() + 6) % 7));
}

function addDays(date: Date, days: number): Date {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() + days));
}

function isoDay(date: Date): string {
  return date.toISOString().slice(0, 10);
}
