// Counts words: JSON in, JSON out. The library has no JSON.

export function count(request: string): string {
  const text = new Reader(request).text();
  const unique = new Set<string>();
  let words = 0, longest = "", most = 0;
  for (let at = 0; at < text.length; ) {
    const start = at;
    while (at < text.length && !isSpace(text.charCodeAt(at))) at++;
    const word = text.substring(start, at++);
    if (word == "") continue;
    words++;
    unique.add(word);
    const length = characters(word);
    if (length > most) {
      most = length;
      longest = word;
    }
  }
  return `{"words":${words},"unique":${unique.size},"longest":${quoted(longest)}}`;
}

function isSpace(code: i32): bool {
  return code == 0x20 || code == 0x09 || code == 0x0a || code == 0x0c || code == 0x0d;
}

function isJsonSpace(code: i32): bool {
  return isSpace(code) && code != 0x0c;
}

// A character outside of the first plane is two units, the second from 0xdc00 to 0xdfff.
function characters(word: string): i32 {
  let count = 0;
  for (let i = 0; i < word.length; i++) if ((word.charCodeAt(i) & 0xfc00) != 0xdc00) count++;
  return count;
}

function quoted(text: string): string {
  const parts = ['"'];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code == 0x22) parts.push('\\"');
    else if (code == 0x5c) parts.push("\\\\");
    else if (code == 0x08) parts.push("\\b");
    else if (code < 0x20) parts.push("\\u" + code.toString(16).padStart(4, "0"));
    else parts.push(text.charAt(i));
  }
  return parts.join("") + '"';
}

// Reads {"text":"…"}.
class Reader {
  private at: i32 = 0;

  constructor(private json: string) {}

  text(): string {
    this.expect(0x7b); // {
    assert(this.string() == "text");
    this.expect(0x3a); // :
    const text = this.string();
    this.expect(0x7d); // }
    this.skipSpace();
    assert(this.at == this.json.length);
    return text;
  }

  private unit(): i32 {
    assert(this.at < this.json.length);
    return this.json.charCodeAt(this.at++);
  }

  private skipSpace(): void {
    while (this.at < this.json.length && isJsonSpace(this.json.charCodeAt(this.at))) this.at++;
  }

  private expect(code: i32): void {
    this.skipSpace();
    assert(this.unit() == code);
  }

  private string(): string {
    this.expect(0x22); // "
    const parts = new Array<string>();
    let start = this.at;
    let code = this.unit();
    while (code != 0x22) {
      assert(code >= 0x20);
      if (code == 0x5c) {
        parts.push(this.json.substring(start, this.at - 1));
        parts.push(this.escaped());
        start = this.at;
      }
      code = this.unit();
    }
    parts.push(this.json.substring(start, this.at - 1));
    return parts.join("");
  }

  private escaped(): string {
    const code = this.unit();
    if (code == 0x75) { // u
      const digits = this.json.substring(this.at, this.at + 4);
      assert(digits.length == 4);
      this.at += 4;
      return String.fromCharCode(<i32>parseInt(digits, 16));
    }
    const index = '"\\/bfnrt'.indexOf(String.fromCharCode(code));
    assert(index >= 0);
    return '"\\/\b\f\n\r\t'.charAt(index);
  }
}
