// StepCost: how long a step will take, learned from the steps before it:
//   seconds = fixed + per_token * tokens + per_pair * (pairs of a new token and one that it sees)
// by recursive least squares with forgetting (Plackett 1950), so that it follows a machine whose
// other work comes and goes. A step that took far longer than was foreseen counts as somewhat
// longer: one that was preempted says little about the next.
//
// Nothing is allocated. One thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace hearth {

struct StepWork {
  int64_t tokens = 0;  // rows of the batch
  int64_t pairs = 0;   // sum over the rows of the positions that each sees
};

class StepCost {
 public:
  StepCost();

  void observe(const StepWork& work, double seconds);
  double predict(const StepWork& work) const;

  // How many more rows, each of which sees about `context` positions, `seconds` have room for
  // beside `work`; 0 when it fills them alone.
  int64_t rows_within(double seconds, const StepWork& work, int64_t context) const;

  int64_t observed() const { return observed_; }

 private:
  static constexpr size_t kTerms = 3;
  using Vector = std::array<double, kTerms>;
  static Vector terms(const StepWork& work);
  Vector coefficients_;
  std::array<Vector, kTerms> covariance_ = {};
  int64_t observed_ = 0;
};

// StepMargin: the part of its time that a step is planned for, so that nearly all steps keep to it:
// down a stair with each that did not, up a small one with each that did (a weighted staircase,
// Kaernbach 1991). A quiet machine plans its steps full, one with restless neighbours leaves more.
class StepMargin {
 public:
  static constexpr double kLeast = 0.5, kMost = 0.95;
  double share() const { return share_; }
  // Of a step that was planned for all of share().
  void observe(bool late);

 private:
  double share_ = 0.7;
};

}  // namespace hearth
