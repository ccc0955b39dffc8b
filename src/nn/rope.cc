#include "nn/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hearth {
namespace {

// Long waves are stretched by `factor`, short ones stay, with a ramp between them.
double llama3_frequency(double f, const RopeConfig& c) {
  double wavelength = 2 * std::numbers::pi / f;
  double low = c.original_context / c.low_freq_factor;
  double high = c.original_context / c.high_freq_factor;
  if (wavelength < high) return f;
  if (wavelength > low) return f / c.factor;
  double smooth = (c.original_context / wavelength - c.low_freq_factor) /
                  (c.high_freq_factor - c.low_freq_factor);
  return (1 - smooth) * f / c.factor + smooth * f;
}

// The pair whose wave turns `rotations` times within the original context.
double yarn_pair(double rotations, const RopeConfig& c) {
  return static_cast<double>(c.dims) *
         std::log(c.original_context / (rotations * 2 * std::numbers::pi)) /
         (2 * std::log(c.theta));
}

double yarn_frequency(double f, int64_t pair, const RopeConfig& c) {
  double low = std::max(std::floor(yarn_pair(c.beta_fast, c)), 0.0);
  double high = std::min(std::ceil(yarn_pair(c.beta_slow, c)), static_cast<double>(c.dims - 1));
  if (low == high) high += 0.001;
  double ramp = std::clamp((static_cast<double>(pair) - low) / (high - low), 0.0, 1.0);
  return f / c.factor * ramp + f * (1 - ramp);
}

double scaled(double f, int64_t pair, const RopeConfig& c) {
  switch (c.scaling) {
    case RopeScaling::kNone: return f;
    case RopeScaling::kLinear: return f / c.factor;
    case RopeScaling::kLlama3: return llama3_frequency(f, c);
    case RopeScaling::kYarn: return yarn_frequency(f, pair, c);
  }
  return f;
}

}  // namespace

RopeTable::RopeTable(const RopeConfig& c) : interleaved_(c.interleaved) {
  int64_t pairs = c.dims / 2;
  frequencies_.resize(static_cast<size_t>(pairs));
  for (int64_t i = 0; i < pairs; ++i) {
    double f = std::pow(c.theta, -2.0 * static_cast<double>(i) / static_cast<double>(c.dims));
    f = scaled(f, i, c);
    if (!c.factors.empty()) f /= static_cast<double>(c.factors[static_cast<size_t>(i)]);
    frequencies_[static_cast<size_t>(i)] = static_cast<float>(f);
  }
  if (c.scaling == RopeScaling::kYarn)
    magnitude_ = c.attention_factor > 0 ? c.attention_factor
                 : c.factor > 1         ? 0.1 * std::log(c.factor) + 1.0
                                        : 1.0;
}

std::vector<float> RopeTable::divisors(const RopeTable& other) const {
  std::vector<float> out(frequencies_.size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = frequencies_[i] / other.frequencies_[i];
  return out;
}

void RopeTable::at(int32_t position, float* cos, float* sin) const {
  for (size_t i = 0; i < frequencies_.size(); ++i) {
    // The product in float, as every reference has it: at position 100,000 a double product
    // would turn the head by another angle than the one the model was trained with.
    float angle = static_cast<float>(position) * frequencies_[i];
    cos[i] = static_cast<float>(std::cos(static_cast<double>(angle)) * magnitude_);
    sin[i] = static_cast<float>(std::sin(static_cast<double>(angle)) * magnitude_);
  }
}

}  // namespace hearth
