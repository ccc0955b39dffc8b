#include "template/integer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace hearth::jinja {
namespace {

using Limbs = std::vector<uint32_t>;

void trim(Limbs& limbs) {
  while (!limbs.empty() && limbs.back() == 0) limbs.pop_back();
}

int compare_limbs(const Limbs& a, const Limbs& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  for (size_t i = a.size(); i-- > 0;) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

Limbs add_limbs(const Limbs& a, const Limbs& b) {
  Limbs out;
  uint64_t carry = 0;
  for (size_t i = 0; i < std::max(a.size(), b.size()) || carry; ++i) {
    carry += (i < a.size() ? a[i] : 0) + uint64_t{i < b.size() ? b[i] : 0};
    out.push_back(static_cast<uint32_t>(carry));
    carry >>= 32;
  }
  return out;
}

Limbs subtract_limbs(const Limbs& a, const Limbs& b) {  // REQUIRES: a is not below b
  Limbs out = a;
  int64_t borrow = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    int64_t rest = int64_t{out[i]} - (i < b.size() ? b[i] : 0) - borrow;
    borrow = rest < 0;
    out[i] = static_cast<uint32_t>(rest);
  }
  trim(out);
  return out;
}

// limbs = limbs * by + add
void scale(Limbs& limbs, uint32_t by, uint32_t add) {
  uint64_t carry = add;
  for (uint32_t& limb : limbs) {
    carry += uint64_t{limb} * by;
    limb = static_cast<uint32_t>(carry);
    carry >>= 32;
  }
  if (carry) limbs.push_back(static_cast<uint32_t>(carry));
}

// limbs = limbs / by; returns the rest.
uint32_t reduce(Limbs& limbs, uint32_t by) {
  uint64_t rest = 0;
  for (size_t i = limbs.size(); i-- > 0;) {
    rest = rest << 32 | limbs[i];
    limbs[i] = static_cast<uint32_t>(rest / by);
    rest %= by;
  }
  trim(limbs);
  return static_cast<uint32_t>(rest);
}

Limbs shift_left(const Limbs& limbs, size_t bits) {
  if (limbs.empty()) return {};
  Limbs out(bits / 32, 0);
  uint32_t carry = 0;
  unsigned small = bits % 32;
  for (uint32_t limb : limbs) {
    out.push_back(limb << small | carry);
    carry = small ? limb >> (32 - small) : 0;
  }
  out.push_back(carry);
  trim(out);
  return out;
}

// Knuth's algorithm D (The Art of Computer Programming, 4.3.1); the rest replaces `a`.
Limbs divide_limbs(Limbs& a, const Limbs& divisor) {
  if (compare_limbs(a, divisor) < 0) return {};
  if (divisor.size() == 1) {
    uint32_t rest = reduce(a, divisor[0]);
    Limbs quotient = std::exchange(a, rest ? Limbs{rest} : Limbs{});
    return quotient;
  }
  auto shift = static_cast<size_t>(std::countl_zero(divisor.back()));
  Limbs b = shift_left(divisor, shift);
  Limbs rest = shift_left(a, shift);
  rest.resize(std::max(rest.size(), a.size()) + 1, 0);
  size_t n = b.size(), steps = rest.size() - n;
  Limbs quotient(steps, 0);
  for (size_t j = steps; j-- > 0;) {
    uint64_t top = uint64_t{rest[j + n]} << 32 | rest[j + n - 1];
    uint64_t guess = top / b[n - 1], left = top % b[n - 1];
    while (guess >> 32 || guess * b[n - 2] > (left << 32 | rest[j + n - 2])) {
      --guess;
      left += b[n - 1];
      if (left >> 32) break;
    }
    int64_t borrow = 0;
    uint64_t carry = 0;
    for (size_t i = 0; i < n; ++i) {
      carry += guess * b[i];
      int64_t part = int64_t{rest[i + j]} - borrow - static_cast<int64_t>(carry & 0xFFFFFFFF);
      rest[i + j] = static_cast<uint32_t>(part);
      borrow = part < 0;
      carry >>= 32;
    }
    int64_t part = int64_t{rest[j + n]} - borrow - static_cast<int64_t>(carry);
    rest[j + n] = static_cast<uint32_t>(part);
    if (part < 0) {  // one too many: add the divisor back
      --guess;
      uint64_t sum = 0;
      for (size_t i = 0; i < n; ++i) {
        sum += uint64_t{rest[i + j]} + b[i];
        rest[i + j] = static_cast<uint32_t>(sum);
        sum >>= 32;
      }
      rest[j + n] += static_cast<uint32_t>(sum);
    }
    quotient[j] = static_cast<uint32_t>(guess);
  }
  trim(quotient);
  trim(rest);
  for (size_t i = 0; shift && i < rest.size(); ++i) {
    uint32_t above = i + 1 < rest.size() ? rest[i + 1] : 0;
    rest[i] = rest[i] >> shift | above << (32 - shift);
  }
  trim(rest);
  a = std::move(rest);
  return quotient;
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'z' ? lower - 'a' + 10 : 99;
}

}  // namespace

Integer::Integer(Limbs limbs, bool negative) : limbs_(std::move(limbs)) {
  trim(limbs_);
  negative_ = negative && !limbs_.empty();
}

Integer::Integer(int64_t value) : negative_(value < 0) {
  uint64_t size = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  limbs_ = {static_cast<uint32_t>(size), static_cast<uint32_t>(size >> 32)};
  trim(limbs_);
}

std::optional<Integer> Integer::parse(std::string_view digits, int base) {
  if (digits.empty() || digits.size() > kIntegerBitsMax) return std::nullopt;
  Limbs limbs;
  for (char c : digits) {
    int value = digit_value(c);
    if (value >= base) return std::nullopt;
    scale(limbs, static_cast<uint32_t>(base), static_cast<uint32_t>(value));
    if (limbs.size() * 32 > kIntegerBitsMax + 64) return std::nullopt;
  }
  Integer out(std::move(limbs), false);
  if (out.too_large()) return std::nullopt;
  return out;
}

Integer Integer::truncated(double value) {
  int exponent = 0;
  double mantissa = std::frexp(std::trunc(value), &exponent);
  auto whole = static_cast<int64_t>(std::ldexp(std::fabs(mantissa), 53));
  Integer out(exponent <= 53 ? whole >> std::min(53 - exponent, 63) : whole);
  if (exponent > 53) out.limbs_ = shift_left(out.limbs_, static_cast<size_t>(exponent - 53));
  out.negative_ = value < 0 && !out.limbs_.empty();
  return out;
}

Integer Integer::power_of_ten(int exponent) {
  return Integer(10).power(static_cast<uint64_t>(exponent));
}

size_t Integer::bits() const {
  if (limbs_.empty()) return 0;
  return limbs_.size() * 32 - static_cast<size_t>(std::countl_zero(limbs_.back()));
}

std::optional<int64_t> Integer::small() const {
  if (limbs_.size() > 2) return std::nullopt;
  uint64_t size = 0;
  for (size_t i = limbs_.size(); i-- > 0;) size = size << 32 | limbs_[i];
  uint64_t limit = static_cast<uint64_t>(INT64_MAX) + (negative_ ? 1 : 0);
  if (size > limit) return std::nullopt;
  return static_cast<int64_t>(negative_ ? 0 - size : size);
}

double Integer::to_double() const { return ratio(Integer(1)); }

std::string Integer::digits(int base) const {
  if (limbs_.empty()) return "0";
  // As many digits at once as a limb holds.
  uint32_t unit = static_cast<uint32_t>(base);
  int count = 1;
  while (uint64_t{unit} * static_cast<uint64_t>(base) <= UINT32_MAX) {
    unit *= static_cast<uint32_t>(base);
    ++count;
  }
  std::string out;
  for (Limbs rest = limbs_; !rest.empty();) {
    uint32_t part = reduce(rest, unit);
    for (int i = 0; i < count && (part || !rest.empty()); ++i) {
      out += "0123456789abcdefghijklmnopqrstuvwxyz"[part % static_cast<uint32_t>(base)];
      part /= static_cast<uint32_t>(base);
    }
  }
  std::ranges::reverse(out);
  return out;
}

Integer Integer::operator-() const { return Integer(limbs_, !negative_); }

Integer Integer::operator+(const Integer& other) const {
  if (negative_ == other.negative_) return Integer(add_limbs(limbs_, other.limbs_), negative_);
  if (compare_limbs(limbs_, other.limbs_) >= 0) {
    return Integer(subtract_limbs(limbs_, other.limbs_), negative_);
  }
  return Integer(subtract_limbs(other.limbs_, limbs_), other.negative_);
}

Integer Integer::operator*(const Integer& other) const {
  Limbs out(limbs_.size() + other.limbs_.size(), 0);
  for (size_t i = 0; i < limbs_.size(); ++i) {
    uint64_t carry = 0;
    for (size_t j = 0; j < other.limbs_.size(); ++j) {
      carry += uint64_t{limbs_[i]} * other.limbs_[j] + out[i + j];
      out[i + j] = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    out[i + other.limbs_.size()] = static_cast<uint32_t>(carry);
  }
  return Integer(std::move(out), negative_ != other.negative_);
}

Integer::Division Integer::divide(const Integer& by) const {
  Limbs rest = limbs_;
  Limbs quotient = divide_limbs(rest, by.limbs_);
  Division out{Integer(std::move(quotient), negative_ != by.negative_),
               Integer(std::move(rest), negative_)};
  if (!out.rest.is_zero() && negative_ != by.negative_) {
    out.quotient = out.quotient - Integer(1);
    out.rest = out.rest + by;
  }
  return out;
}

// 55 bits of the quotient or more, the last one also standing for a rest, rounded by hand.
double Integer::ratio(const Integer& by) const {
  if (is_zero()) return by.negative_ ? -0.0 : 0.0;
  auto exponent = static_cast<int64_t>(bits()) - static_cast<int64_t>(by.bits());
  if (exponent > 1024) return negative_ != by.negative_ ? -HUGE_VAL : HUGE_VAL;
  if (exponent < -1200) return negative_ != by.negative_ ? -0.0 : 0.0;
  int64_t shift = 66 - exponent;  // the quotient then has 66 or 67 bits
  Limbs above = shift > 0 ? shift_left(limbs_, static_cast<size_t>(shift)) : limbs_;
  Limbs below = shift < 0 ? shift_left(by.limbs_, static_cast<size_t>(-shift)) : by.limbs_;
  Limbs quotient = divide_limbs(above, below);
  bool sticky = !above.empty();
  // Below the smallest normal number fewer bits are kept.
  auto total = static_cast<int64_t>(Integer(quotient, false).bits());
  int64_t lowest = std::max<int64_t>(total - 53 - shift, -1074);  // exponent of the last kept bit
  auto drop = static_cast<size_t>(std::clamp<int64_t>(lowest + shift, 1, 95));
  uint64_t kept = 0;
  bool half = false;
  for (size_t i = quotient.size() * 32; i-- > 0;) {
    uint64_t bit = quotient[i / 32] >> (i % 32) & 1;
    if (i >= drop) kept = kept << 1 | bit;
    else if (i == drop - 1) half = bit;
    else sticky |= bit != 0;
  }
  if (half && (sticky || (kept & 1))) ++kept;
  double out = std::ldexp(static_cast<double>(kept), static_cast<int>(lowest));
  return negative_ != by.negative_ ? -out : out;
}

Integer Integer::power(uint64_t exponent) const {
  Integer out(1), base = *this;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) out = out * base;
    if (exponent > 1) base = base * base;
  }
  return out;
}

int Integer::compare(const Integer& other) const {
  if (negative_ != other.negative_) return negative_ ? -1 : 1;
  int sizes = compare_limbs(limbs_, other.limbs_);
  return negative_ ? -sizes : sizes;
}

}  // namespace hearth::jinja
