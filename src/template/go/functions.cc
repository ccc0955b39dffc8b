#include "template/go/functions.h"

#include <fmt/format.h>

#include <ctime>

#include "template/go/json_text.h"
#include "template/go/printer.h"
#include "template/go/quote.h"

namespace hearth::gotmpl {
namespace {

// A text made by `make(sink)`.
template <class Make>
Value made_text(const Call& call, Make make) {
  Rendered out;
  Sink sink(out, call.budget);
  make(sink);
  return Value::text(std::move(out));
}

Result<Value> call_not(const Call& call) { return Value::boolean(!truth(call.args[0])); }

Result<Value> call_eq(const Call& call) {
  return Value::boolean(TRY(equal(call.args, call.budget)));
}

Result<Value> call_ne(const Call& call) {
  return Value::boolean(!TRY(equal(call.args, call.budget)));
}

Result<Value> call_lt(const Call& call) {
  return Value::boolean(TRY(less(call.args[0], call.args[1], call.budget)));
}

Result<bool> less_or_equal(const Call& call) {
  if (TRY(less(call.args[0], call.args[1], call.budget))) return true;
  return equal(call.args, call.budget);
}

Result<Value> call_le(const Call& call) { return Value::boolean(TRY(less_or_equal(call))); }

Result<Value> call_gt(const Call& call) { return Value::boolean(!TRY(less_or_equal(call))); }

Result<Value> call_ge(const Call& call) {
  return Value::boolean(!TRY(less(call.args[0], call.args[1], call.budget)));
}

Result<Value> call_len(const Call& call) {
  const Value& value = call.args[0];
  switch (value.kind()) {
    case Kind::kString: return Value::integer(static_cast<int64_t>(value.as_text().text.size()));
    case Kind::kSlice:
    case Kind::kMap: return Value::integer(static_cast<int64_t>(value.size()));
    case Kind::kInvalid:
    case Kind::kNilInterface: return fail(Code::kInvalid, "len of nil");
    default: return fail(Code::kInvalid, "len of type {}", value.type().name);
  }
}

Result<Value> call_index(const Call& call) { return index_value(call.args); }

Result<Value> call_refused(const Call&) {
  return fail(Code::kInvalid, "there is no value that can be called");
}

Result<Value> call_print(const Call& call) {
  return made_text(call, [&](Sink& out) { Printer(out).print(call.args); });
}

Result<Value> call_println(const Call& call) {
  return made_text(call, [&](Sink& out) { Printer(out).println(call.args); });
}

Result<Value> call_printf(const Call& call) {
  return made_text(call, [&](Sink& out) {
    Printer(out).printf(call.args[0].as_text(), call.args.subspan(1));
  });
}

// What html, js and urlquery escape: the arguments as print prints them.
Rendered printed(const Call& call) {
  if (call.args.size() == 1 && call.args[0].kind() == Kind::kString) return call.args[0].as_text();
  std::vector<Value> args;
  for (const Value& arg : call.args) {
    if (!arg.is_valid()) args.push_back(Value::plain("<no value>"));
    else args.push_back(arg.kind() == Kind::kPointer && !arg.is_nil() ? arg.pointee() : arg);
  }
  Rendered out;
  Printer(Sink(out, call.budget)).print(args);
  return out;
}

Result<Value> call_html(const Call& call) {
  return made_text(call, [&](Sink& out) { escape_html(out, printed(call)); });
}

Result<Value> call_js(const Call& call) {
  return made_text(call, [&](Sink& out) { escape_js(out, printed(call)); });
}

Result<Value> call_urlquery(const Call& call) {
  return made_text(call, [&](Sink& out) { escape_query(out, printed(call)); });
}

Result<Value> call_json(const Call& call) {
  return made_text(call, [&](Sink& out) { append_json(out, call.args[0]); });
}

Value date(int64_t now, int days) {
  time_t seconds = now >= 0 ? static_cast<time_t>(now) : std::time(nullptr);
  tm parts{};
  if (now >= 0) gmtime_r(&seconds, &parts);
  else localtime_r(&seconds, &parts);
  // Noon, so that no change of the clocks moves the day.
  parts.tm_mday += days;
  parts.tm_hour = 12;
  timegm(&parts);
  return Value::plain(
      fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday));
}

Result<Value> call_today(const Call& call) { return date(call.now, 0); }
Result<Value> call_yesterday(const Call& call) { return date(call.now, -1); }

Result<Value> call_typescript(const Call& call) {
  return Value::text(typescript_type(call.args[0]));
}

constexpr Parameter kAnyOne = Parameter::kAny, kReflect = Parameter::kReflected,
                    kText = Parameter::kString;

constexpr Function kFunctions[] = {
    // name, fixed, variadic, first, rest, ours, call, stops_at
    {"and", 1, true, kReflect, kReflect, false, nullptr, false},
    {"or", 1, true, kReflect, kReflect, false, nullptr, true},
    {"not", 1, false, kReflect, kReflect, false, call_not},
    {"eq", 1, true, kReflect, kReflect, false, call_eq},
    {"ne", 2, false, kReflect, kReflect, false, call_ne},
    {"lt", 2, false, kReflect, kReflect, false, call_lt},
    {"le", 2, false, kReflect, kReflect, false, call_le},
    {"gt", 2, false, kReflect, kReflect, false, call_gt},
    {"ge", 2, false, kReflect, kReflect, false, call_ge},
    {"len", 1, false, kReflect, kReflect, false, call_len},
    {"index", 1, true, kReflect, kReflect, false, call_index},
    {"slice", 1, true, kReflect, kReflect, false, slice_value},
    {"call", 1, true, kReflect, kReflect, false, call_refused},
    {"print", 0, true, kAnyOne, kAnyOne, false, call_print},
    {"printf", 1, true, kText, kAnyOne, false, call_printf},
    {"println", 0, true, kAnyOne, kAnyOne, false, call_println},
    {"html", 0, true, kAnyOne, kAnyOne, false, call_html},
    {"js", 0, true, kAnyOne, kAnyOne, false, call_js},
    {"urlquery", 0, true, kAnyOne, kAnyOne, false, call_urlquery},
    {"json", 1, false, kAnyOne, kAnyOne, true, call_json},
    {"currentDate", 0, true, kText, kText, true, call_today},
    {"yesterdayDate", 0, true, kText, kText, true, call_yesterday},
    {"toTypeScriptType", 1, false, kAnyOne, kAnyOne, true, call_typescript},
};

std::string_view typescript_name(std::string_view type) {
  if (type == "string" || type == "boolean" || type == "null") return type;
  if (type == "number" || type == "integer") return "number";
  if (type == "array") return "any[]";
  if (type == "object") return "Record<string, any>";
  return "any";
}

}  // namespace

const Function* find_function(std::string_view name) {
  for (const Function& row : kFunctions)
    if (row.name == name) return &row;
  return nullptr;
}

bool truth(const Value& value) {
  switch (value.kind()) {
    case Kind::kInvalid:
    case Kind::kNilInterface: return false;
    case Kind::kBool: return value.as_bool();
    case Kind::kInt:
    case Kind::kUint8: return value.as_int() != 0;
    case Kind::kFloat: return value.as_double() != 0;
    case Kind::kString: return !value.as_text().text.empty();
    case Kind::kSlice:
    case Kind::kMap: return value.size() > 0;
    case Kind::kPointer: return !value.is_nil();
    case Kind::kStruct: return true;
  }
  return false;
}

Rendered typescript_type(const Value& given) {
  bool points = given.kind() == Kind::kPointer && !given.is_nil();
  Value property = points ? given.pointee() : given;
  if (!property.is_valid() || &property.type() != &kToolProperty) return rendered("any", false);
  std::string out;
  Value any_of = property.field(0), types = property.field(1);
  for (size_t i = 0; i < any_of.size(); ++i) {
    if (i > 0) out += " | ";
    out += typescript_type(any_of.at(i)).text;
  }
  if (any_of.size() > 0) return rendered(out, false);
  for (size_t i = 0; i < types.size(); ++i) {
    if (i > 0) out += " | ";
    out += typescript_name(types.at(i).as_text().text);
  }
  return rendered(types.size() == 0 ? "any" : out, false);
}

}  // namespace hearth::gotmpl
