// Counts words: a program for QuickJS, from standard input to standard output.

function count(request) {
  const words = request.text.split(/[ \t\n\f\r]+/).filter((word) => word !== "");
  const length = (word) => [...word].length;
  const longest = words.reduce((longest, word) => (length(word) > length(longest) ? word : longest), "");
  return { words: words.length, unique: new Set(words).size, longest };
}

std.out.puts(JSON.stringify(count(JSON.parse(std.in.readAsString()))));
