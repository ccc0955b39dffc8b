#include "base/json.h"

#include <cmath>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/out_of_memory.h"
#include "base/utf8.h"

namespace hearth {
namespace {

const Json kNull;

// Builds a Json from the library's events; the stack holds the containers that are still open.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  Json result;
  std::string error;
  size_t error_at = 0;

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(int64_t value) override { return add(value); }
  bool number_unsigned(uint64_t value) override {
    if (value > static_cast<uint64_t>(INT64_MAX)) return add(static_cast<double>(value));
    return add(static_cast<int64_t>(value));
  }
  bool number_float(double value, const std::string&) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(nlohmann::json::binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Json(Json::Object{})); }
  bool start_array(size_t) override { return open(Json(Json::Array{})); }
  bool key(std::string& name) override {
    keys_.back() = std::move(name);
    return true;
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(size_t at, const std::string&, const nlohmann::detail::exception& e) override {
    error = e.what();
    error_at = at;
    return false;
  }

 private:
  bool add(Json value) {
    if (stack_.empty()) {
      result = std::move(value);
    } else if (stack_.back().is_array()) {
      stack_.back().array().push_back(std::move(value));
    } else {
      stack_.back().object().emplace_back(std::move(keys_.back()), std::move(value));
    }
    return true;
  }
  bool open(Json container) {
    if (stack_.size() >= static_cast<size_t>(Json::kDepthMax)) {
      error = "nested too deeply";
      return false;
    }
    stack_.push_back(std::move(container));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    Json done = std::move(stack_.back());
    stack_.pop_back();
    keys_.pop_back();
    return add(std::move(done));
  }

  std::vector<Json> stack_;
  std::vector<std::string> keys_;
};

template <class T>
Result<T> wrong_kind(std::string_view name, const Json& value, std::string_view wanted) {
  return fail(Code::kInvalid, "{} must be {}, not {}", name, wanted, value.kind());
}

void append_double(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  std::string text = fmt::format("{}", value);
  out += text;
  if (text.find_first_of(".e") == std::string::npos) out += ".0";
}

}  // namespace

// Where the copy of an alternative runs out of memory, the variant of libstdc++ 12 destroys what
// was never made. So the alternative is copied alone, and moving it in cannot fail.
Json::Json(const Json& other) {
  std::visit([this](const auto& value) { value_ = std::decay_t<decltype(value)>(value); },
             other.value_);
}

std::string_view Json::kind() const {
  constexpr std::string_view kKinds[] = {"null",   "a boolean", "an integer", "a number",
                                         "a string", "an array",  "an object"};
  return kKinds[value_.index()];
}

bool Json::as_bool() const { CHECK(is_bool()); return std::get<bool>(value_); }
int64_t Json::as_int() const { CHECK(is_int()); return std::get<int64_t>(value_); }
double Json::as_double() const {
  if (is_int()) return static_cast<double>(std::get<int64_t>(value_));
  CHECK(is_double());
  return std::get<double>(value_);
}
const std::string& Json::as_string() const {
  CHECK(is_string());
  return std::get<std::string>(value_);
}
const Json::Array& Json::as_array() const { CHECK(is_array()); return std::get<Array>(value_); }
const Json::Object& Json::as_object() const {
  CHECK(is_object());
  return std::get<Object>(value_);
}
Json::Array& Json::array() {
  if (is_null()) value_ = Array{};
  CHECK(is_array());
  return std::get<Array>(value_);
}
Json::Object& Json::object() {
  if (is_null()) value_ = Object{};
  CHECK(is_object());
  return std::get<Object>(value_);
}

const Json* Json::find(std::string_view name) const {
  const Object* members = std::get_if<Object>(&value_);
  if (members == nullptr) return nullptr;
  for (auto it = members->rbegin(); it != members->rend(); ++it)
    if (it->first == name) return &it->second;
  return nullptr;
}

const Json& Json::operator[](std::string_view name) const {
  const Json* found = find(name);
  return found != nullptr ? *found : kNull;
}

void Json::set(std::string name, Json value) {
  for (Member& member : object())
    if (member.first == name) {
      member.second = std::move(value);
      return;
    }
  object().emplace_back(std::move(name), std::move(value));
}

Result<int64_t> Json::get_int(std::string_view name, int64_t fallback) const {
  const Json* value = find(name);
  if (value == nullptr || value->is_null()) return fallback;
  if (!value->is_int()) return wrong_kind<int64_t>(name, *value, "an integer");
  return value->as_int();
}
Result<double> Json::get_double(std::string_view name, double fallback) const {
  const Json* value = find(name);
  if (value == nullptr || value->is_null()) return fallback;
  if (!value->is_number()) return wrong_kind<double>(name, *value, "a number");
  return value->as_double();
}
Result<bool> Json::get_bool(std::string_view name, bool fallback) const {
  const Json* value = find(name);
  if (value == nullptr || value->is_null()) return fallback;
  if (!value->is_bool()) return wrong_kind<bool>(name, *value, "a boolean");
  return value->as_bool();
}
Result<std::string> Json::get_string(std::string_view name, std::string fallback) const {
  const Json* value = find(name);
  if (value == nullptr || value->is_null()) return fallback;
  if (!value->is_string()) return wrong_kind<std::string>(name, *value, "a string");
  return value->as_string();
}

std::string Json::dump(int indent) const {
  std::string out;
  write(out, indent, 0);
  return out;
}

void Json::write(std::string& out, int indent, int depth) const {
  auto line = [&](int level) {
    if (indent >= 0) out.append(1, '\n').append(static_cast<size_t>(indent * level), ' ');
  };
  auto members = [&](const auto& items, char open, char close, auto&& one) {
    out += open;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += indent >= 0 ? "," : ", ";
      line(depth + 1);
      one(items[i]);
    }
    if (!items.empty()) line(depth);
    out += close;
  };
  if (is_null()) out += "null";
  else if (is_bool()) out += as_bool() ? "true" : "false";
  else if (is_int()) out += fmt::to_string(as_int());
  else if (is_double()) append_double(out, as_double());
  else if (is_string()) append_json_string(out, as_string());
  else if (is_array()) members(as_array(), '[', ']', [&](const Json& item) {
    item.write(out, indent, depth + 1);
  });
  else members(as_object(), '{', '}', [&](const Member& member) {
    append_json_string(out, member.first);
    out += ": ";
    member.second.write(out, indent, depth + 1);
  });
}

void append_json_string(std::string& out, std::string_view text) {
  std::string clean;
  if (!is_valid_utf8(text)) text = clean = replace_invalid_utf8(text);
  out += '"';
  for (char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
          out += c;
    }
  }
  out += '"';
}

namespace {

Result<Json> parse_document(std::string_view text) {
  // The library takes a NUL for the end and would not look at what follows.
  if (size_t nul = text.find('\0'); nul != text.npos)
    return fail(Code::kCorrupt, "not JSON: a NUL character (near byte {})", nul);
  Builder builder;
  try {
    if (nlohmann::json::sax_parse(text, &builder)) return std::move(builder.result);
  } catch (const std::bad_alloc&) {
    throw;  // not a fault of the text
  } catch (const std::exception& e) {
    builder.error = e.what();
  }
  // The library's messages begin with "[json.exception.NAME] " and may quote raw bytes.
  std::string error = replace_invalid_utf8(builder.error);
  if (size_t end = error.find("] "); error.starts_with('[') && end != error.npos)
    error.erase(0, end + 2);
  return fail(Code::kCorrupt, "not JSON: {} (near byte {})", error, builder.error_at);
}

}  // namespace

Result<Json> Json::parse(std::string_view text) {
  return catching_bad_alloc([&] { return parse_document(text); });
}

}  // namespace hearth
