// The filter tojson as transformers defines it: json.dumps without escapes for HTML.
#include <cmath>

#include "base/utf8.h"
#include "template/interp.h"

namespace hearth::jinja {
namespace {

void append_code_unit(std::string& out, uint32_t unit) { out += fmt::format("\\u{:04x}", unit); }

void append_json_text(std::string& out, std::string_view text, bool ascii) {
  out += '"';
  for (size_t i = 0; i < text.size();) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    if (c >= 0x80) {
      Decoded next = decode_utf8(text, i);
      if (!ascii) {
        append_utf8(out, next.code);
      } else if (next.code >= 0x10000) {
        append_code_unit(out, 0xD7C0 + (next.code >> 10));
        append_code_unit(out, 0xDC00 + (next.code & 0x3FF));
      } else {
        append_code_unit(out, next.code);
      }
      i += next.bytes;
      continue;
    }
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        if (c < 0x20 || (ascii && c == 0x7F)) {
          append_code_unit(out, c);
        } else {
          out += static_cast<char>(c);
        }
    }
    ++i;
  }
  out += '"';
}

std::string json_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  return float_repr(value);
}

struct Writer {
  Interp& in;
  const JsonStyle& style;
  std::string out;
  int level = 0;

  void line() {
    if (!style.indented) return;
    out += '\n';
    for (int i = 0; i < level; ++i) out += style.indent;
  }
  // Before an item; after the last one, with close().
  void separate(bool first) {
    if (!first) out += style.item_separator;
    line();
  }
  Result<void> value(const Value& what);
  Result<void> array(const Value& what);
  Result<void> object(const Dict& dict);
  Result<void> key(const Value& name);
};

Result<void> Writer::value(const Value& what) {
  in.heap.spend(1);
  TRY(in.fits(out.size() + static_cast<size_t>(level) * style.indent.size()));
  switch (what.type()) {
    case Type::kNone: out += "null"; return {};
    case Type::kBool: out += what.as_bool() ? "true" : "false"; return {};
    case Type::kInt: out += fmt::format("{}", what.as_int()); return {};
    case Type::kBig: append_big(in, out, what.as<Big>().number); return {};
    case Type::kFloat: out += json_float(what.as_double()); return {};
    case Type::kString:
      in.heap.spend(what.text().size() / 8);
      TRY(in.check());
      append_json_text(out, what.text(), style.ascii);
      return {};
    case Type::kList:
    case Type::kTuple: return array(what);
    case Type::kDict: return object(what.dict());
    default:
      return type_error(fmt::format("Object of type {} is not JSON serializable",
                                    type_name(what.type())));
  }
}

Result<void> Writer::array(const Value& what) {
  if (what.items().empty()) {
    out += "[]";
    return {};
  }
  out += '[';
  ++level;
  bool first = true;
  for (const Value& item : what.items()) {
    separate(first);
    first = false;
    TRY(value(item));
  }
  --level;
  line();
  out += ']';
  return {};
}

Result<void> Writer::key(const Value& name) {
  switch (name.type()) {
    case Type::kString: append_json_text(out, name.text(), style.ascii); return {};
    case Type::kNone: out += "\"null\""; return {};
    case Type::kBool: out += name.as_bool() ? "\"true\"" : "\"false\""; return {};
    case Type::kInt: out += fmt::format("\"{}\"", name.as_int()); return {};
    case Type::kBig:
      out += '"';
      append_big(in, out, name.as<Big>().number);
      out += '"';
      return {};
    case Type::kFloat: out += '"' + json_float(name.as_double()) + '"'; return {};
    default:
      return type_error(fmt::format("keys must be str, int, float, bool or None, not {}",
                                    type_name(name.type())));
  }
}

Result<void> Writer::object(const Dict& dict) {
  if (dict.entries.empty()) {
    out += "{}";
    return {};
  }
  std::vector<Value> names, values;
  if (style.sort_keys) {
    for (const auto& [name, item] : dict.entries) {
      names.push_back(name);
      values.push_back(item);
    }
    values = TRY(sorted(in, names, std::move(values), false));
    names = TRY(sorted(in, names, names, false));
  }
  out += '{';
  ++level;
  for (size_t i = 0; i < dict.entries.size(); ++i) {
    separate(i == 0);
    TRY(key(style.sort_keys ? names[i] : dict.entries[i].first));
    out += style.key_separator;
    TRY(value(style.sort_keys ? values[i] : dict.entries[i].second));
  }
  --level;
  line();
  out += '}';
  return {};
}

}  // namespace

// The depth is that of the value, which is bounded where values are made.
Result<std::string> to_json(Interp& in, const Value& value, const JsonStyle& style) {
  Writer writer{in, style, {}, 0};
  TRY(writer.value(value));
  return std::move(writer.out);
}

}  // namespace hearth::jinja
