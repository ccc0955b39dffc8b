// The filters that lay out text: wordwrap (Python's textwrap) and pprint (Python's pprint).
#include <algorithm>

#include "base/utf8.h"
#include "template/interp.h"
#include "template/text.h"
#include "template/unicode.h"

namespace hearth::jinja {
namespace {

// ---- wordwrap

using Text = std::vector<char32_t>;

bool is_blank(char32_t c) { return (c >= 9 && c <= 13) || c == ' '; }
bool is_word(char32_t c) { return c == '_' || is_alnum(c); }
bool is_letter(char32_t c) { return is_word(c) && !is_decimal(c); }
bool is_word_or_mark(char32_t c) {
  return is_word(c) || (c < 0x80 && std::string_view("!\"'&.,?").find(static_cast<char>(c)) !=
                                        std::string_view::npos);
}

// Cuts a line where it may be broken: blanks, words, parts of words after hyphens, long dashes.
class Cutter {
 public:
  Cutter(const Text& text, bool hyphens) : text_(text), hyphens_(hyphens) {}

  std::vector<Text> run() {
    std::vector<Text> chunks;
    for (size_t at = 0; at < text_.size();) {
      size_t end = next(at);
      chunks.emplace_back(text_.begin() + static_cast<ptrdiff_t>(at),
                          text_.begin() + static_cast<ptrdiff_t>(end));
      at = end;
    }
    return chunks;
  }

 private:
  char32_t at(size_t i) const { return i < text_.size() ? text_[i] : 0; }
  bool letter(size_t i) const { return i < text_.size() && is_letter(text_[i]); }

  // The end of a dash of two or more hyphens at `i` that stands between words, or i.
  size_t dash_end(size_t i) const {
    if (i == 0 || at(i) != '-' || at(i + 1) != '-' || !is_word_or_mark(text_[i - 1])) return i;
    size_t end = i;
    while (at(end) == '-') ++end;
    return end < text_.size() && is_word(text_[end]) ? end : i;
  }

  // Whether a word may be broken behind the hyphen at `i`.
  bool breaks_after(size_t i) const {
    bool before = (i >= 2 && letter(i - 1) && letter(i - 2)) ||
                  (i >= 3 && letter(i - 3) && at(i - 2) == '-' && is_word_or_mark(at(i - 1)));
    return before && letter(i + 1) && (letter(i + 2) || (at(i + 2) == '-' && letter(i + 3)));
  }

  size_t next(size_t first) const {
    size_t end = first + 1;
    if (is_blank(text_[first])) {
      while (end < text_.size() && is_blank(text_[end])) ++end;
      return end;
    }
    if (hyphens_ && dash_end(first) != first) return dash_end(first);
    for (; end < text_.size() && !is_blank(text_[end]); ++end) {
      if (!hyphens_ || text_[end] != '-') continue;
      if (breaks_after(end)) return end + 1;
      if (dash_end(end) != end) return end;
    }
    return end;
  }

  const Text& text_;
  bool hyphens_;
};

struct Wrapping {
  size_t width;
  bool break_words, hyphens;
};

// The part of a word that is too long for any line, on a line that has `room` left.
size_t cut_of_long_word(const Text& word, size_t room, bool hyphens) {
  if (!hyphens) return room;
  for (size_t i = std::min(room, word.size()); i-- > 1;) {
    if (word[i] != '-') continue;
    bool other = std::any_of(word.begin(), word.begin() + static_cast<ptrdiff_t>(i),
                             [](char32_t c) { return c != '-'; });
    return other ? i + 1 : room;
  }
  return room;
}

bool all_blank(const Text& text) { return std::ranges::all_of(text, is_space); }

std::vector<Text> wrap_line(const Text& line, const Wrapping& how) {
  std::vector<Text> chunks = Cutter(line, how.hyphens).run(), lines;
  for (size_t at = 0; at < chunks.size();) {
    if (!lines.empty() && all_blank(chunks[at])) ++at;
    std::vector<Text> taken;
    size_t length = 0;
    while (at < chunks.size() && length + chunks[at].size() <= how.width) {
      length += chunks[at].size();
      taken.push_back(std::move(chunks[at++]));
    }
    if (at < chunks.size() && chunks[at].size() > how.width) {
      if (how.break_words) {
        size_t cut = cut_of_long_word(chunks[at], how.width - length, how.hyphens);
        auto middle = chunks[at].begin() + static_cast<ptrdiff_t>(cut);
        taken.emplace_back(chunks[at].begin(), middle);
        chunks[at].erase(chunks[at].begin(), middle);
      } else if (taken.empty()) {
        taken.push_back(std::move(chunks[at++]));
      }
    }
    if (!taken.empty() && all_blank(taken.back())) taken.pop_back();
    if (taken.empty()) continue;
    Text& made = lines.emplace_back();
    for (const Text& part : taken) made.insert(made.end(), part.begin(), part.end());
  }
  return lines;
}

// wordwrap(width, break_long_words, wrapstring, break_on_hyphens)
Result<Value> wordwrap(Call& call) {
  if (call.self.is_undefined()) return undefined_error(call.self);
  if (!call.self.is_string()) return type_error("wordwrap wants a string");
  int64_t width = TRY(call.integer(0, 79));
  Wrapping how{0, call.truth(1, true), call.truth(3, true)};
  bool plain = !call.has(2) || call.arg[2].is_none();
  std::string_view newline = plain ? std::string_view("\n") : TRY(call.text(2));
  std::string out;
  bool first = true;
  for (std::string_view line : split_lines(call.self.text(), false)) {
    if (width <= 0) return fail(Code::kInvalid, "invalid width {} (must be > 0)", width);
    how.width = static_cast<size_t>(width);
    call.in.heap.spend(1 + line.size() * 2);
    TRY(call.in.fits(out.size() + line.size() * 16));
    auto codes = to_code_points(line);
    bool continues = false;
    if (!std::exchange(first, false)) out += newline;
    for (const Text& part : wrap_line(Text(codes.begin(), codes.end()), how)) {
      if (std::exchange(continues, true)) out += newline;
      for (char32_t c : part) append_utf8(out, c);
      if (out.size() > (1u << 16)) TRY(call.in.fits(out.size()));
    }
  }
  return call.in.string(std::move(out));
}

// ---- pprint

constexpr int64_t kLineWidth = 80;

int64_t width_of(std::string_view text) {
  return static_cast<int64_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

class Printer {
 public:
  explicit Printer(Interp& in) : in_(in) {}
  Result<void> print(const Value& value, int64_t indent, int64_t allowance, int level);
  std::string out;

 private:
  Result<void> flat(std::string& text, const Value& value);
  Result<void> items(const Value& value, int64_t indent, int64_t allowance, int level);
  Result<void> dict(const Dict& dict, int64_t indent, int64_t allowance, int level);
  Result<void> text(std::string_view text, int64_t indent, int64_t allowance, int level);
  Result<std::vector<Dict::Entry>> ordered(const Dict& dict);
  void new_line(int64_t indent) {
    out += '\n';
    out.append(static_cast<size_t>(indent), ' ');
  }

  Interp& in_;
};

// By key; keys that have no order stay as they are.
Result<std::vector<Dict::Entry>> Printer::ordered(const Dict& dict) {
  std::vector<Value> keys, indices;
  for (const auto& [key, value] : dict.entries) {
    indices.push_back(Value::integer(static_cast<int64_t>(indices.size())));
    keys.push_back(key);
  }
  auto order = sorted(in_, std::move(keys), indices, false);
  TRY(in_.check());
  std::vector<Dict::Entry> out;
  for (const Value& index : order ? *order : indices) {
    out.push_back(dict.entries[static_cast<size_t>(index.as_int())]);
  }
  return out;
}

// repr() with the members of dicts in order.
Result<void> Printer::flat(std::string& text, const Value& value) {
  TRY(in_.fits(text.size()));
  if (value.is_dict()) {
    text += '{';
    bool first = true;
    for (const auto& [key, item] : TRY(ordered(value.dict()))) {
      if (!std::exchange(first, false)) text += ", ";
      TRY(flat(text, key));
      text += ": ";
      TRY(flat(text, item));
    }
    text += '}';
    return {};
  }
  if (!value.is_sequence()) return append_repr(in_, text, value);
  bool list = value.is(Type::kList), first = true;
  text += list ? '[' : '(';
  for (const Value& item : value.items()) {
    if (!std::exchange(first, false)) text += ", ";
    TRY(flat(text, item));
  }
  if (!list && value.items().size() == 1) text += ',';
  text += list ? ']' : ')';
  return {};
}

Result<void> Printer::print(const Value& value, int64_t indent, int64_t allowance, int level) {
  TRY(in_.enter());
  std::string line;
  auto result = flat(line, value);
  in_.heap.spend(1 + line.size() / 4);
  bool fits = width_of(line) <= kLineWidth - indent - allowance;
  if (result && !fits && value.is_dict()) {
    result = dict(value.dict(), indent, allowance, level + 1);
  } else if (result && !fits && value.is_sequence()) {
    result = items(value, indent, allowance, level + 1);
  } else if (result && !fits && value.is_string() && !value.is_markup()) {
    result = text(value.text(), indent, allowance, level + 1);
  } else {
    out += line;
  }
  in_.leave();
  if (!result) return result;
  return in_.fits(out.size());
}

Result<void> Printer::items(const Value& value, int64_t indent, int64_t allowance, int level) {
  const std::vector<Value>& items = value.items();
  bool list = value.is(Type::kList);
  std::string_view close = list ? "]" : items.size() == 1 ? ",)" : ")";
  out += list ? '[' : '(';
  allowance += static_cast<int64_t>(close.size());
  for (size_t i = 0; i < items.size(); ++i) {
    bool last = i + 1 == items.size();
    TRY(print(items[i], indent + 1, last ? allowance : 1, level));
    if (last) break;
    out += ',';
    new_line(indent + 1);
  }
  out += close;
  return {};
}

Result<void> Printer::dict(const Dict& dict, int64_t indent, int64_t allowance, int level) {
  out += '{';
  std::vector<Dict::Entry> entries = TRY(ordered(dict));
  for (size_t i = 0; i < entries.size(); ++i) {
    bool last = i + 1 == entries.size();
    std::string key;
    TRY(flat(key, entries[i].first));
    out += key + ": ";
    TRY(print(entries[i].second, indent + 3 + width_of(key), last ? allowance + 1 : 1, level));
    if (last) break;
    out += ',';
    new_line(indent + 1);
  }
  out += '}';
  return {};
}

std::string quoted(std::string_view text) {
  std::string out;
  append_text_repr(out, text);
  return out;
}

// A line in pieces that end behind white space.
std::vector<std::string_view> pieces_of(std::string_view line) {
  std::vector<std::string_view> out;
  size_t start = 0;
  bool blank = false;
  for (size_t i = 0; i < line.size();) {
    Decoded next = decode_utf8(line, i);
    bool space = is_space(next.code);
    if (blank && !space) {
      out.push_back(line.substr(start, i - start));
      start = i;
    }
    blank = space;
    i += next.bytes;
  }
  if (start < line.size()) out.push_back(line.substr(start));
  return out;
}

// A long string as several, one per line of the source, broken between words.
Result<void> Printer::text(std::string_view text, int64_t indent, int64_t allowance, int level) {
  indent += level == 1;
  allowance += level == 1;
  in_.heap.spend(text.size());
  TRY(in_.fits(text.size() * 4));
  std::vector<std::string> chunks;
  std::vector<std::string_view> lines = split_lines(text, true);
  for (size_t i = 0; i < lines.size(); ++i) {
    bool last = i + 1 == lines.size();
    std::string whole = quoted(lines[i]);
    if (width_of(whole) <= kLineWidth - indent - (last ? allowance : 0)) {
      chunks.push_back(std::move(whole));
      continue;
    }
    std::vector<std::string_view> pieces = pieces_of(lines[i]);
    std::string current;
    for (size_t j = 0; j < pieces.size(); ++j) {
      bool end = last && j + 1 == pieces.size();
      std::string candidate = current + std::string(pieces[j]);
      in_.heap.spend(1 + candidate.size() / 16);
      if (width_of(quoted(candidate)) > kLineWidth - indent - (end ? allowance : 0)) {
        if (!current.empty()) chunks.push_back(quoted(current));
        current = pieces[j];
      } else {
        current = std::move(candidate);
      }
      TRY(in_.check());
    }
    if (!current.empty()) chunks.push_back(quoted(current));
    TRY(in_.check());
  }
  bool encloses = level == 1 && chunks.size() > 1;
  if (encloses) out += '(';
  for (size_t i = 0; i < chunks.size(); ++i) {
    if (i > 0) new_line(indent);
    out += chunks[i];
    TRY(in_.fits(out.size()));
  }
  if (encloses) out += ')';
  return {};
}

Result<Value> pprint(Call& call) {
  Printer printer(call.in);
  TRY(printer.print(call.self, 0, 0, 0));
  return call.in.string(std::move(printer.out));
}

constexpr Builtin kRows[] = {
    {"wordwrap", wordwrap, 0, {"width", "break_long_words", "wrapstring", "break_on_hyphens"}},
    {"pprint", pprint},
};

}  // namespace

std::span<const Builtin> layout_filters() { return kRows; }

}  // namespace hearth::jinja
