import { irregular } from "./irregular.ts";

/**
 * Light English stemming: the first step of Porter's algorithm (plurals, -ed, -ing, -y) and a final silent e.
 * https://tartarus.org/martin/PorterStemmer/def.txt. The later steps are left out: they gain little on short memories and
 * damage words of other languages. Index and query pass through here alike, so a wrong stem costs precision, never a hit.
 */
export function stem(word: string): string {
  return regularStem(irregular.get(word) ?? word);
}

function regularStem(word: string): string {
  if (word.length < 4) return word;
  return dropSilentE(replaceY(dropPastTense(dropPlural(word))));
}

function dropPlural(word: string): string {
  if (!word.endsWith("s")) return word;
  if (word.endsWith("sses") || word.endsWith("ies")) return word.slice(0, -2);
  return word.endsWith("ss") || word.endsWith("us") ? word : word.slice(0, -1);
}

function dropPastTense(word: string): string {
  if (word.endsWith("eed")) return word.length > 4 ? word.slice(0, -1) : word;
  if (word.endsWith("ied")) return word.slice(0, -1);
  const cut = word.endsWith("ed") ? 2 : word.endsWith("ing") ? 3 : 0;
  if (cut === 0) return word;
  const rest = word.slice(0, -cut);
  if (rest.length < 2 || !/[aeiouy]/u.test(rest)) return word;
  if (/(?:at|bl|iz)$/u.test(rest)) return `${rest}e`;
  return /([^aeioulsz])\1$/u.test(rest) ? rest.slice(0, -1) : rest;
}

function replaceY(word: string): string {
  return word.endsWith("y") && /[aeiou]/u.test(word.slice(0, -1)) ? `${word.slice(0, -1)}i` : word;
}

function dropSilentE(word: string): string {
  return word.length > 4 && word.endsWith("e") ? word.slice(0, -1) : word;
}
