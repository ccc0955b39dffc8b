#include "template/go/printer.h"

#include "base/utf8.h"
#include "template/go/json_text.h"
#include "template/go/quote.h"

namespace hearth::gotmpl {
namespace {

constexpr uint64_t kAddress = 0xc000012000;
constexpr std::string_view kNil = "<nil>";

bool is_string_verb(char32_t verb) {
  return verb == 'v' || verb == 's' || verb == 'x' || verb == 'X' || verb == 'q';
}

}  // namespace

void Printer::put_rune(char32_t code) {
  std::string text;
  append_utf8(text, code);
  put(text);
}

void Printer::print(std::span<const Value> args) {
  bool after_string = false;
  for (size_t i = 0; i < args.size() && !out_.spent(); ++i) {
    bool is_string = args[i].kind() == Kind::kString;
    if (i > 0 && !is_string && !after_string) put(" ");
    arg(args[i], 'v');
    after_string = is_string;
  }
}

void Printer::println(std::span<const Value> args) {
  for (size_t i = 0; i < args.size() && !out_.spent(); ++i) {
    if (i > 0) put(" ");
    arg(args[i], 'v');
  }
  put("\n");
}

void Printer::action(const Value& printed) {
  if (!printed.is_valid()) return put("<no value>");
  Value value = printed.kind() == Kind::kPointer && !printed.is_nil() ? printed.pointee() : printed;
  // What has an address has the methods of its pointer too.
  if (value.type().stringer == Stringer::kPointerJson && value.addressable())
    return append_json(out_, value);
  arg(value, 'v');
}

void Printer::arg(const Value& value, char32_t verb) {
  if (!value.is_valid()) {
    if (verb != 'T' && verb != 'v') return bad_verb(verb, nullptr);
    return put_padded(rendered(kNil, false));
  }
  if (verb == 'T') return put_padded(truncated(rendered(value.type().name, false)));
  if (verb == 'p') return address(value, 'p');
  this->value(value, verb, 0);
}

bool Printer::stringer(const Value& value, char32_t verb) {
  if (erroring_) return false;
  if (verb == 'w') {
    bad_verb(verb, &value);
    return true;
  }
  Stringer kind = value.type().stringer;
  if (flags_.sharp_v || !is_string_verb(verb)) return false;
  if (kind != Stringer::kJson && kind != Stringer::kTypeNames) return false;
  Rendered made;
  Sink sink(made, out_.budget());
  if (kind == Stringer::kJson) {
    append_json(sink, value);
  } else if (value.size() == 1) {
    sink.put(value.at(0).as_text());
  } else if (value.size() > 1) {
    sink.put("[", false);
    for (size_t i = 0; i < value.size(); ++i) {
      if (i > 0) sink.put(" ", false);
      sink.put(value.at(i).as_text());
    }
    sink.put("]", false);
  }
  text(made, verb, &value);
  return true;
}

void Printer::value(const Value& value, char32_t verb, int depth) {
  if (out_.spent() || !out_.budget().take_steps(1)) return;
  if (!value.is_valid()) return put(flags_.sharp_v ? "interface {}(nil)" : kNil);
  switch (value.kind()) {
    case Kind::kSlice: case Kind::kMap: case Kind::kStruct: case Kind::kPointer:
      if (stringer(value, verb)) return;
      break;
    default:
      if (verb == 'w') return bad_verb(verb, &value);
  }
  switch (value.kind()) {
    case Kind::kBool: return boolean(value, verb);
    case Kind::kInt: case Kind::kUint8: return integer(value, verb);
    case Kind::kFloat: return number(value, verb);
    case Kind::kString: return text(value.as_text(), verb, &value);
    case Kind::kSlice: return slice(value, verb, depth);
    case Kind::kMap: return map(value, verb, depth);
    case Kind::kStruct: return structure(value, verb, depth);
    case Kind::kPointer: return pointer(value, verb, depth);
    default: return;
  }
}

void Printer::bad_verb(char32_t verb, const Value* value) {
  erroring_ = true;
  put("%!");
  put_rune(verb);
  put("(");
  if (value && value->is_valid()) {
    put(value->type().name);
    put("=");
    this->value(*value, 'v', 0);
  } else {
    put(kNil);
  }
  put(")");
  erroring_ = false;
}

void Printer::boolean(const Value& value, char32_t verb) {
  if (verb != 't' && verb != 'v') return bad_verb(verb, &value);
  put(padded(flags_, value.as_bool() ? "true" : "false"));
}

void Printer::integer(const Value& value, char32_t verb) {
  uint64_t bits = static_cast<uint64_t>(value.as_int());
  bool is_signed = value.kind() == Kind::kInt;
  auto in_base = [&](int base, bool upper) {
    return integer_text(flags_, bits, base, is_signed, verb, upper);
  };
  char32_t code = bits > 0x10FFFF || (bits >= 0xD800 && bits <= 0xDFFF)
                      ? kReplacement : static_cast<char32_t>(bits);
  std::string out;
  switch (verb) {
    case 'v':
      if (flags_.sharp_v && !is_signed) {
        FormatFlags hex = flags_;
        hex.sharp = true;
        out = integer_text(hex, bits, 16, false, 'v', false);
        break;
      }
      [[fallthrough]];
    case 'd': out = in_base(10, false); break;
    case 'b': out = in_base(2, false); break;
    case 'o': case 'O': out = in_base(8, false); break;
    case 'x': out = in_base(16, false); break;
    case 'X': out = in_base(16, true); break;
    case 'c':
      append_utf8(out, code);
      out = padded(flags_, out);
      break;
    case 'q': out = padded(flags_, quoted_rune(code, flags_.plus)); break;
    case 'U': out = unicode_text(flags_, bits); break;
    default: return bad_verb(verb, &value);
  }
  out_.put(out, value.foreign());
}

void Printer::number(const Value& value, char32_t verb) {
  char kind = static_cast<char>(verb);
  int precision = -1;
  switch (verb) {
    case 'v': kind = 'g'; break;
    case 'b': case 'g': case 'G': case 'x': case 'X': break;
    case 'f': case 'e': case 'E': precision = 6; break;
    case 'F': kind = 'f'; precision = 6; break;
    default: return bad_verb(verb, &value);
  }
  // Digits beyond a number's own cost more than other bytes.
  if (!out_.budget().take_steps(static_cast<uint64_t>(flags_.precision) / 4)) return;
  out_.put(float_text(flags_, value.as_double(), kind, precision), value.foreign());
}

Rendered Printer::truncated(const Rendered& text) const {
  if (!flags_.has_precision) return text;
  size_t end = 0;
  for (int i = 0; i < flags_.precision && end < text.text.size(); ++i) {
    Decoded one = decode_utf8(text.text, end);
    end += one.valid ? one.bytes : 1;
  }
  return cut(text, 0, end);
}

void Printer::put_padded(const Rendered& text) {
  if (!flags_.has_width) return out_.put(text);
  if (!out_.budget().take_steps(text.text.size() / 4)) return;
  std::string space = padding(flags_, count_runes(text.text));
  if (!flags_.minus) put(space);
  out_.put(text);
  if (flags_.minus) put(space);
}

void Printer::text(const Rendered& text, char32_t verb, const Value* source) {
  if (verb == 's' || (verb == 'v' && !flags_.sharp_v)) return put_padded(truncated(text));
  if (verb == 'x' || verb == 'X') return hex_dump(text, verb == 'X');
  if (verb != 'q' && verb != 'v') return bad_verb(verb, source);
  Rendered part = truncated(text), quoted;
  Sink sink(quoted, out_.budget());
  if (flags_.sharp && can_be_raw(part.text)) {
    sink.put("`", false);
    sink.put(part);
    sink.put("`", false);
  } else {
    append_quoted(sink, part, flags_.plus);
  }
  put_padded(quoted);
}

void Printer::hex_dump(const Rendered& text, bool upper) {
  size_t length = text.text.size();
  if (flags_.has_precision) length = std::min(length, static_cast<size_t>(flags_.precision));
  if (length == 0) return put(padding(flags_, 0));
  size_t size = 2 * length;
  if (flags_.space) size = size * (flags_.sharp ? 2 : 1) + length - 1;
  else if (flags_.sharp) size += 2;
  const char* digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string_view prefix = upper ? "0X" : "0x";
  if (!flags_.minus) put(padding(flags_, size));
  ForeignCursor cursor(text);
  for (size_t i = 0; i < length && !out_.spent(); ++i) {
    if (flags_.space && i > 0) put(" ");
    if (flags_.sharp && (i == 0 || flags_.space)) put(prefix);
    uint8_t c = static_cast<uint8_t>(text.text[i]);
    char pair[2] = {digits[c >> 4], digits[c & 15]};
    out_.put({pair, 2}, cursor.at(i));
  }
  if (flags_.minus) put(padding(flags_, size));
}

void Printer::bytes(const Value& value, char32_t verb) {
  Rendered part = value.as_bytes();
  if (verb == 'q') return text(part, 'q', &value);
  if (verb == 's') return put_padded(truncated(part));
  hex_dump(part, verb == 'X');
}

void Printer::slice(const Value& value, char32_t verb, int depth) {
  if (value.is_bytes() && (verb == 's' || verb == 'q' || verb == 'x' || verb == 'X'))
    return bytes(value, verb);
  if (flags_.sharp_v) {
    put(value.type().name);
    if (value.is_nil()) return put("(nil)");
  }
  put(flags_.sharp_v ? "{" : "[");
  for (size_t i = 0; i < value.size() && !out_.spent(); ++i) {
    if (i > 0) put(flags_.sharp_v ? ", " : " ");
    this->value(value.at(i), verb, depth + 1);
  }
  put(flags_.sharp_v ? "}" : "]");
}

void Printer::map(const Value& value, char32_t verb, int depth) {
  if (flags_.sharp_v) {
    put(value.type().name);
    if (value.is_nil()) return put("(nil)");
  }
  put(flags_.sharp_v ? "{" : "map[");
  for (size_t i = 0; i < value.size() && !out_.spent(); ++i) {
    if (i > 0) put(flags_.sharp_v ? ", " : " ");
    this->value(value.key(i), verb, depth + 1);
    put(":");
    this->value(value.value(i), verb, depth + 1);
  }
  put(flags_.sharp_v ? "}" : "]");
}

void Printer::structure(const Value& value, char32_t verb, int depth) {
  if (flags_.sharp_v) put(value.type().name);
  put("{");
  for (size_t i = 0; i < value.type().fields.size() && !out_.spent(); ++i) {
    if (i > 0) put(flags_.sharp_v ? ", " : " ");
    if (flags_.plus_v || flags_.sharp_v) {
      put(value.type().fields[i].name);
      put(":");
    }
    this->value(value.field(i), verb, depth + 1);
  }
  put("}");
}

void Printer::pointer(const Value& value, char32_t verb, int depth) {
  if (depth > 0 || value.is_nil()) return address(value, verb);
  put("&");
  this->value(value.pointee(), verb, depth + 1);
}

void Printer::address(const Value& value, char32_t verb) {
  Kind kind = value.kind();
  if (kind != Kind::kSlice && kind != Kind::kMap && kind != Kind::kPointer)
    return bad_verb(verb, &value);
  uint64_t where = value.is_nil() ? 0 : kAddress;
  if (verb == 'v' && where == 0) return put(padded(flags_, kNil));
  FormatFlags flags = flags_;
  if (verb == 'v' || verb == 'p') flags.sharp = !flags.sharp;
  int base = verb == 'b' ? 2 : verb == 'o' ? 8 : verb == 'd' ? 10 : 16;
  bool hex = verb == 'v' || verb == 'p' || verb == 'x' || verb == 'X';
  if (base == 16 && !hex) return bad_verb(verb, &value);
  put(integer_text(flags, where, base, false, 'v', verb == 'X'));
}

}  // namespace hearth::gotmpl
