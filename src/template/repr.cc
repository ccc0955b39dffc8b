// str() and repr() of values, as Python prints them.
#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "template/interp.h"
#include "template/unicode.h"

namespace hearth::jinja {
namespace {

void append_escape(std::string& out, char32_t code) {
  if (code < 0x100) {
    out += fmt::format("\\x{:02x}", static_cast<uint32_t>(code));
  } else if (code < 0x10000) {
    out += fmt::format("\\u{:04x}", static_cast<uint32_t>(code));
  } else {
    out += fmt::format("\\U{:08x}", static_cast<uint32_t>(code));
  }
}

Result<void> append_items(Interp& in, std::string& out, const Value& value) {
  bool list = value.is(Type::kList);
  out += list ? '[' : '(';
  bool first = true;
  for (const Value& item : value.items()) {
    if (!first) out += ", ";
    first = false;
    TRY(append_repr(in, out, item));
  }
  if (!list && value.items().size() == 1) out += ',';
  out += list ? ']' : ')';
  return {};
}

Result<void> append_dict(Interp& in, std::string& out, const Dict& dict) {
  out += '{';
  bool first = true;
  for (const auto& [key, item] : dict.entries) {
    if (!first) out += ", ";
    first = false;
    TRY(append_repr(in, out, key));
    out += ": ";
    TRY(append_repr(in, out, item));
  }
  out += '}';
  return {};
}

Result<void> append_view(Interp& in, std::string& out, const View& view) {
  constexpr std::string_view kNames[] = {"dict_keys([", "dict_values([", "dict_items(["};
  out += kNames[static_cast<size_t>(view.kind)];
  bool first = true;
  for (const auto& [key, value] : view.dict.dict().entries) {
    if (!first) out += ", ";
    first = false;
    if (view.kind == View::Kind::kItems) out += '(';
    if (view.kind != View::Kind::kValues) TRY(append_repr(in, out, key));
    if (view.kind == View::Kind::kItems) out += ", ";
    if (view.kind != View::Kind::kKeys) TRY(append_repr(in, out, value));
    if (view.kind == View::Kind::kItems) out += ')';
  }
  out += "])";
  return {};
}

Result<void> append_object(Interp& in, std::string& out, const Value& value) {
  switch (value.type()) {
    case Type::kMacro: {
      Value name = TRY(in.attribute(value, "name"));
      out += "<Macro ";
      append_text_repr(out, name.text());
      out += '>';
      return {};
    }
    case Type::kRange: {
      const Range& range = value.as<Range>();
      out += fmt::format("range({}, {}", range.start, range.stop);
      out += range.step == 1 ? ")" : fmt::format(", {})", range.step);
      return {};
    }
    case Type::kNamespace:
      out += "<Namespace ";
      TRY(append_dict(in, out, value.as<Dict>()));
      out += '>';
      return {};
    case Type::kLoop: {
      Loop& loop = value.as<Loop>();
      out += fmt::format("<LoopContext {}/{}>", loop.index0 + 1, TRY(loop.length(in)));
      return {};
    }
    case Type::kFunction: out += fmt::format("<function {}>", value.as<Function>().row->name);
      return {};
    case Type::kMethod:
      out += fmt::format("<built-in method {} of {} object>", value.as<Method>().row->name,
                         type_name(value.as<Method>().self.type()));
      return {};
    default: out += fmt::format("<{} object>", type_name(value.type())); return {};
  }
}

}  // namespace

void append_big(Interp& in, std::string& out, const Integer& number) {
  in.heap.spend(number.work() * number.work() / 4);
  if (number.is_negative()) out += '-';
  out += number.digits(10);
}

// The shortest digits that read back as the same number, laid out as Python does.
std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  auto made = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  std::string_view text(buffer, static_cast<size_t>(made.ptr - buffer));
  size_t mark = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + mark + (text[mark + 1] == '+' ? 2 : 1), text.data() + text.size(),
                  exponent);
  if (exponent < -4 || exponent >= 16) {
    return std::string(text.substr(0, mark)) +
           fmt::format("e{}{:02d}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  char fixed[64];
  made = std::to_chars(fixed, fixed + sizeof(fixed), value, std::chars_format::fixed);
  std::string out(fixed, static_cast<size_t>(made.ptr - fixed));
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

void append_text_repr(std::string& out, std::string_view text, bool ascii_only) {
  bool single = text.find('\'') != std::string_view::npos;
  char quote = single && text.find('"') == std::string_view::npos ? '"' : '\'';
  out += quote;
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    char32_t c = next.code;
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (is_printable(c) && !(ascii_only && c >= 0x80)) {
      out.append(text, i, next.bytes);
    } else {
      append_escape(out, c);
    }
    i += next.bytes;
  }
  out += quote;
}

std::string ascii_repr(std::string_view repr) {
  std::string out;
  for (size_t i = 0; i < repr.size();) {
    Decoded next = decode_utf8(repr, i);
    if (next.code < 0x80) out += static_cast<char>(next.code);
    else append_escape(out, next.code);
    i += next.bytes;
  }
  return out;
}

Result<void> append_str(Interp& in, std::string& out, const Value& value) {
  if (value.is_string()) {
    out += value.text();
    return {};
  }
  if (value.is_undefined()) return {};
  return append_repr(in, out, value);
}

Result<void> append_repr(Interp& in, std::string& out, const Value& value) {
  in.heap.spend(1);
  TRY(in.fits(out.size()));
  TRY(in.enter());
  Result<void> result;
  switch (value.type()) {
    case Type::kUndefined: out += "Undefined"; break;
    case Type::kNone: out += "None"; break;
    case Type::kBool: out += value.as_bool() ? "True" : "False"; break;
    case Type::kInt: out += fmt::format("{}", value.as_int()); break;
    case Type::kFloat: out += float_repr(value.as_double()); break;
    case Type::kBig: append_big(in, out, value.as<Big>().number); break;
    case Type::kString:
      in.heap.spend(value.text().size() / 4);
      TRY(in.check());
      if (value.is_markup()) out += "Markup(";
      append_text_repr(out, value.text());
      if (value.is_markup()) out += ')';
      break;
    case Type::kList:
    case Type::kTuple: result = append_items(in, out, value); break;
    case Type::kDict: result = append_dict(in, out, value.dict()); break;
    case Type::kView: result = append_view(in, out, value.as<View>()); break;
    default: result = append_object(in, out, value); break;
  }
  in.leave();
  return result;
}

Result<std::string> to_str(Interp& in, const Value& value) {
  std::string out;
  TRY(append_str(in, out, value));
  return out;
}

Result<void> append_value(Interp& in, Rendered& out, const Value& value) {
  if (value.is_string()) {
    const Str& text = value.as<Str>();
    out.append(text.text, text.marks, 0, text.text.size());
  } else {
    std::string text = TRY(to_str(in, value));
    out.append(text, value.is_foreign());
  }
  return in.fits(out.bytes());
}

Result<Value> as_string(Interp& in, const Value& value) {
  if (value.is_string()) return value;
  Rendered out;
  TRY(append_value(in, out, value));
  return in.marked(std::move(out));
}

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '\'': out += "&#39;"; break;
      case '"': out += "&#34;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace hearth::jinja
