// Rotary position embeddings: from a model's parameters to angles. Sources: RoFormer (Su et al.
// 2021); linear interpolation (Chen et al. 2023); the Llama 3 rule of Meta's model code; YaRN
// (Peng et al. 2023).
#pragma once

#include <cstdint>
#include <vector>

namespace hearth {

enum class RopeScaling : uint8_t { kNone, kLinear, kLlama3, kYarn };

struct RopeConfig {
  double theta = 10000.0;
  int64_t dims = 0;             // values of a head that rotate (even)
  bool interleaved = false;     // pairs (2i, 2i+1), as GGUF files of llama have it; else halves
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;          // how much longer than trained
  double low_freq_factor = 1.0, high_freq_factor = 4.0;   // llama3
  double original_context = 0;                            // llama3, yarn
  double beta_fast = 32.0, beta_slow = 1.0;               // yarn
  double attention_factor = 0;  // yarn: multiplies cos and sin; 0: 0.1 ln(factor) + 1
  std::vector<float> factors;   // dims/2 divisors of the frequencies from the file, or empty

  bool operator==(const RopeConfig&) const = default;
};

// Frequencies of the dims/2 pairs (radians per position) and the factor on cos and sin.
class RopeTable {
 public:
  explicit RopeTable(const RopeConfig& config);
  int64_t pairs() const { return static_cast<int64_t>(frequencies_.size()); }
  bool interleaved() const { return interleaved_; }
  // What this table's frequencies must be divided by to become those of `other` (same pairs).
  std::vector<float> divisors(const RopeTable& other) const;
  // cos and sin (pairs() each) at one position. Computed in double, rounded once.
  void at(int32_t position, float* cos, float* sin) const;

 private:
  std::vector<float> frequencies_;
  double magnitude_ = 1.0;
  bool interleaved_ = false;
};

}  // namespace hearth
