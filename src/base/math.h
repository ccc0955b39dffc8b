// Checked arithmetic for sizes that come from outside: every product or sum that becomes an
// allocation or an offset goes through these (rule R1 of hostile input: patching single sites
// loses, one set of functions that every field must pass wins).
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <optional>

namespace hearth {

template <std::unsigned_integral T>
[[nodiscard]] constexpr std::optional<T> checked_add(T a, T b) {
  T out;
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

template <std::unsigned_integral T>
[[nodiscard]] constexpr std::optional<T> checked_mul(T a, T b) {
  T out;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

// The next multiple of `alignment` (a power of two) at or above `value`.
template <std::unsigned_integral T>
[[nodiscard]] constexpr std::optional<T> checked_align(T value, T alignment) {
  if (!std::has_single_bit(alignment)) return std::nullopt;
  auto padded = checked_add(value, static_cast<T>(alignment - 1));
  if (!padded) return std::nullopt;
  return static_cast<T>(*padded & ~(alignment - 1));
}

// ceil(a / b) for numbers of ours (no overflow check: a + b must fit).
template <std::integral T>
[[nodiscard]] constexpr T ceil_div(T a, T b) {
  return (a + b - 1) / b;
}

// `value` rounded up to a multiple of `unit`, for numbers of ours.
template <std::integral T>
[[nodiscard]] constexpr T round_up(T value, T unit) {
  return ceil_div(value, unit) * unit;
}

}  // namespace hearth
