// Integer: Python's whole numbers beyond 64 bits: sign and magnitude. Work is at most the product
// of the sizes of the operands; whoever computes keeps them below kIntegerBitsMax.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::jinja {

// Python prints no more than 4300 digits; larger numbers are an error here.
inline constexpr size_t kIntegerBitsMax = 14'284;

class Integer {
 public:
  Integer() = default;
  explicit Integer(int64_t value);
  // Digits and nothing else; empty for what is none or too large.
  static std::optional<Integer> parse(std::string_view digits, int base);
  static Integer truncated(double value);  // towards zero. REQUIRES: finite
  static Integer power_of_ten(int exponent);

  bool is_negative() const { return negative_; }
  bool is_zero() const { return limbs_.empty(); }
  bool is_odd() const { return !limbs_.empty() && (limbs_[0] & 1); }
  size_t bits() const;  // of the magnitude
  bool too_large() const { return bits() > kIntegerBitsMax; }
  std::optional<int64_t> small() const;    // where it fits
  double to_double() const;                // the nearest; infinite where it is too large
  std::string digits(int base) const;      // of the magnitude, lower case
  size_t bytes() const { return limbs_.size() * sizeof(uint32_t); }
  size_t work() const { return limbs_.size() + 1; }

  Integer operator-() const;
  Integer operator+(const Integer& other) const;
  Integer operator-(const Integer& other) const { return *this + -other; }
  Integer operator*(const Integer& other) const;
  // Rounded down, and the rest with the sign of the divisor. REQUIRES: the divisor is not zero.
  struct Division;
  Division divide(const Integer& by) const;
  // a / b as Python's true division: the nearest double, infinite where it is too large.
  double ratio(const Integer& by) const;
  Integer power(uint64_t exponent) const;
  int compare(const Integer& other) const;  // below, equal to or above zero
  bool operator==(const Integer& other) const = default;

 private:
  using Limbs = std::vector<uint32_t>;  // the lowest first, the highest not zero
  Integer(Limbs limbs, bool negative);
  Integer shifted(size_t bits) const;  // the magnitude, to the left

  Limbs limbs_;
  bool negative_ = false;
};

struct Integer::Division {
  Integer quotient, rest;
};

}  // namespace hearth::jinja
