#include "engine/step_cost.h"

#include <algorithm>
#include <cmath>

namespace hearth {
namespace {

// Units in which the terms are near 1 in an ordinary step, so that one prior fits all.
constexpr double kTokens = 64, kPairs = 64 * 1024;
constexpr double kForget = 0.98;       // about fifty steps count
constexpr double kUncertainty = 1e4;   // of the first guess
constexpr double kMostTrace = 1e6;     // a term that never varies must not grow without end
constexpr double kFirstGuess = 0.05;   // seconds for kTokens rows, before anything is known
constexpr double kMostSurprise = 2.0;  // how much longer than foreseen a step can count

}  // namespace

StepCost::StepCost() : coefficients_{0.0, kFirstGuess, 0.0} {
  for (size_t i = 0; i < kTerms; ++i) covariance_[i][i] = kUncertainty;
}

StepCost::Vector StepCost::terms(const StepWork& work) {
  return {1.0, static_cast<double>(work.tokens) / kTokens,
          static_cast<double>(work.pairs) / kPairs};
}

double StepCost::predict(const StepWork& work) const {
  const Vector x = terms(work);
  double seconds = 0;
  for (size_t i = 0; i < kTerms; ++i) seconds += std::max(0.0, coefficients_[i]) * x[i];
  return seconds;
}

void StepCost::observe(const StepWork& work, double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return;
  const Vector x = terms(work);
  constexpr int64_t kLearning = 8;
  if (observed_ >= kLearning)
    seconds = std::min(seconds, kMostSurprise * predict(work));
  ++observed_;
  Vector gain = {};
  double scale = kForget, error = seconds;
  for (size_t i = 0; i < kTerms; ++i) {
    for (size_t j = 0; j < kTerms; ++j) gain[i] += covariance_[i][j] * x[j];
    scale += x[i] * gain[i];
    error -= coefficients_[i] * x[i];
  }
  double trace = 0;
  const Vector direction = gain;
  for (size_t i = 0; i < kTerms; ++i) coefficients_[i] += gain[i] / scale * error;
  for (size_t i = 0; i < kTerms; ++i)
    for (size_t j = 0; j < kTerms; ++j)
      covariance_[i][j] -= direction[i] * direction[j] / scale;
  for (size_t i = 0; i < kTerms; ++i) trace += covariance_[i][i];
  if (trace > kMostTrace) return;
  for (Vector& row : covariance_)
    for (double& v : row) v /= kForget;
}

void StepMargin::observe(bool late) {
  constexpr double kDown = 0.02, kUp = kDown / 200;  // one in two hundred is late
  share_ = late ? std::max(kLeast, share_ - kDown) : std::min(kMost, share_ + kUp);
}

int64_t StepCost::rows_within(double seconds, const StepWork& work, int64_t context) const {
  const double left = seconds - predict(work);
  const double each = predict({work.tokens + 1, work.pairs + context}) - predict(work);
  if (left <= 0) return 0;
  if (each <= 0) return INT32_MAX;
  return static_cast<int64_t>(std::min(left / each, double{INT32_MAX}));
}

}  // namespace hearth
