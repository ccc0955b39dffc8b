// str.format and format_map.
#include <algorithm>

#include "template/format_spec.h"

namespace hearth::jinja {
namespace {

// The argument that a replacement field names, with its .attributes and [items].
struct Fields {
  Interp& in;
  const Args& args;
  const Value* mapping;
  int64_t automatic = 0;

  Result<Value> first(std::string_view name) {
    if (name.empty()) {
      if (automatic < 0) return fail(Code::kInvalid, "cannot switch from manual to automatic");
      return positional(automatic++);
    }
    size_t at = 0;
    int64_t index = TRY(read_number(name, at, -1));
    if (index >= 0 && at == name.size()) {
      if (automatic > 0) return fail(Code::kInvalid, "cannot switch from automatic to manual");
      automatic = -1;
      return positional(index);
    }
    if (mapping) {
      if (!mapping->is_dict()) return type_error("format_map wants a mapping");
      return TRY(found(mapping->dict().find(name), name));
    }
    for (const auto& [known, value] : args.named) {
      if (known.text() == name) return value;
    }
    return found(nullptr, name);
  }

  Result<Value> found(const Value* value, std::string_view name) {
    if (value) return *value;
    return fail(Code::kInvalid, "KeyError: '{}'", name);
  }

  Result<Value> positional(int64_t index) {
    if (index >= static_cast<int64_t>(args.positional.size())) {
      return fail(Code::kInvalid, "Replacement index {} out of range", index);
    }
    return args.positional[static_cast<size_t>(index)];
  }

  Result<Value> get(std::string_view path) {
    size_t end = std::min(path.find_first_of(".["), path.size());
    Value value = TRY(first(path.substr(0, end)));
    while (end < path.size()) {
      if (path[end] == '.') {
        size_t stop = std::min(path.find_first_of(".[", end + 1), path.size());
        value = TRY(in.attribute(value, path.substr(end + 1, stop - end - 1)));
        end = stop;
        continue;
      }
      size_t close = path.find(']', end);
      if (path[end] != '[' || close == std::string_view::npos) {
        return fail(Code::kInvalid, "malformed field in a format string");
      }
      std::string_view key = path.substr(end + 1, close - end - 1);
      size_t at = 0;
      int64_t index = TRY(read_number(key, at, -1));
      bool whole = index >= 0 && at == key.size();
      value = TRY(in.item(value, whole ? Value::integer(index) : in.string(key)));
      end = close + 1;
    }
    return value;
  }
};

// The end of a replacement field that starts after '{' at `at`: its closing brace.
size_t field_end(std::string_view text, size_t at) {
  int open = 1;
  for (; at < text.size(); ++at) {
    open += text[at] == '{' ? 1 : text[at] == '}' ? -1 : 0;
    if (open == 0) return at;
  }
  return std::string_view::npos;
}

Result<Rendered> expand(Fields& fields, const Value& whole, std::string_view text, int levels);

// A value as its spec wants it: its own bytes where there is none, else foreign as a whole if the
// value or the spec is.
Result<void> append_formatted(Interp& in, Rendered& out, const Value& value, const Rendered& spec,
                              bool markup) {
  if (markup && value.is_markup() && !spec.text.empty()) {
    return fail(Code::kInvalid, "Unsupported format specification for Markup.");
  }
  bool escapes = markup && !value.is_markup();
  if (spec.text.empty() && !escapes) return append_value(in, out, value);
  std::string text = TRY(format_value(in, value, spec.text));
  if (escapes) text = escape_html(text);
  out.append(text, value.is_foreign() || !spec.foreign.empty());
  return in.fits(out.bytes());
}

Result<void> expand_field(Fields& fields, Rendered& out, const Value& whole, std::string_view field,
                          int levels) {
  size_t bracket = field.find('[');
  size_t mark = field.find_first_of("!:");
  if (bracket != std::string_view::npos && bracket < mark) {  // x[a:b] has no spec inside
    size_t close = field.find(']', bracket);
    if (close != std::string_view::npos) mark = field.find_first_of("!:", close);
  }
  mark = std::min(mark, field.size());
  Value value = TRY(fields.get(field.substr(0, mark)));
  std::string_view rest = field.substr(mark);
  if (rest.starts_with('!')) {
    if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':')) {
      return fail(Code::kInvalid, "expected ':' after conversion specifier");
    }
    if (rest[1] == 's') {
      value = TRY(as_string(fields.in, value));
    } else if (rest[1] == 'r' || rest[1] == 'a') {
      std::string text;
      TRY(append_repr(fields.in, text, value));
      if (rest[1] == 'a') text = ascii_repr(text);
      Rendered converted;
      converted.append(text, value.is_foreign());
      value = fields.in.marked(std::move(converted));
    } else {
      return fail(Code::kInvalid, "unknown conversion specifier '{}'", rest[1]);
    }
    rest.remove_prefix(2);
  }
  if (rest.starts_with(':')) rest.remove_prefix(1);
  Rendered spec = TRY(expand(fields, whole, rest, levels - 1));
  return append_formatted(fields.in, out, value, spec, whole.is_markup());
}

// `text` is a part of the text of `whole`.
Result<Rendered> expand(Fields& fields, const Value& whole, std::string_view text, int levels) {
  if (levels < 0) return fail(Code::kInvalid, "Max string recursion exceeded");
  Rendered out;
  const Str& source = whole.as<Str>();
  auto copy = [&](size_t i) {
    auto at = static_cast<size_t>(text.data() - source.text.data()) + i;
    out.append(source.text, source.marks, at, at + 1);
  };
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c != '{' && c != '}') {
      copy(i);
    } else if (i + 1 < text.size() && text[i + 1] == c) {
      copy(i);
      ++i;
    } else if (c == '}') {
      return fail(Code::kInvalid, "Single '}}' encountered in format string");
    } else {
      size_t end = field_end(text, i + 1);
      if (end == std::string_view::npos) {
        return fail(Code::kInvalid, "expected '}}' before end of string");
      }
      TRY(expand_field(fields, out, whole, text.substr(i + 1, end - i - 1), levels));
      TRY(fields.in.fits(out.bytes()));
      i = end;
    }
  }
  return out;
}

}  // namespace

Result<Rendered> brace_format(Interp& in, const Value& text, const Args& args,
                              const Value* mapping) {
  Fields fields{in, args, mapping};
  return expand(fields, text, text.text(), 2);
}

}  // namespace hearth::jinja
