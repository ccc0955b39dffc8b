// Json: one JSON value, and the only face that the JSON library shows to the rest of the house
// (its header costs seconds per file). Objects keep the order in which their members came, which
// chat templates and manifests need; a repeated name finds its last value, as in Python.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace hearth {

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;  // null
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Json(T value) : value_(static_cast<int64_t>(value)) {}
  Json(double value) : value_(value) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}
  Json(const Json& other);
  Json(Json&&) noexcept = default;
  Json& operator=(const Json& other) { return *this = Json(other); }
  Json& operator=(Json&&) noexcept = default;

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_int() const { return std::holds_alternative<int64_t>(value_); }
  bool is_double() const { return std::holds_alternative<double>(value_); }
  bool is_number() const { return is_int() || is_double(); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  std::string_view kind() const;  // "object", "string", ... for messages

  // REQUIRES: the kind asked for (CHECK). as_double() takes integers too.
  bool as_bool() const;
  int64_t as_int() const;
  double as_double() const;
  const std::string& as_string() const;
  const Array& as_array() const;
  const Object& as_object() const;
  Array& array();    // turns null into an empty array
  Object& object();  // turns null into an empty object

  // The member of an object, or null (a static null Json) when this is no object or has none.
  const Json& operator[](std::string_view name) const;
  const Json* find(std::string_view name) const;  // nullptr when absent
  void set(std::string name, Json value);         // replaces or appends; turns null into {}
  void push_back(Json value) { array().push_back(std::move(value)); }

  // Values from outside, with defaults: the kind must match when the member is there (kInvalid).
  Result<int64_t> get_int(std::string_view name, int64_t fallback) const;
  Result<double> get_double(std::string_view name, double fallback) const;
  Result<bool> get_bool(std::string_view name, bool fallback) const;
  Result<std::string> get_string(std::string_view name, std::string fallback) const;

  // One line, or indented by so many spaces; non-ASCII characters stay as they are, bytes that
  // are no UTF-8 become U+FFFD. Integral doubles keep ".0"; NaN and infinities become null.
  std::string dump(int indent = -1) const;

  // RFC 8259 text of at most kDepthMax levels, whole (nothing may follow). Integers beyond
  // int64 become doubles. kCorrupt with the byte offset.
  static Result<Json> parse(std::string_view text);
  static constexpr int kDepthMax = 512;

  bool operator==(const Json& other) const = default;

 private:
  void write(std::string& out, int indent, int depth) const;
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value_;
};

// Appends `text` in quotes, escaped as JSON.
void append_json_string(std::string& out, std::string_view text);

}  // namespace hearth
