// The oracle: every kernel in plain loops, written for reading and shared with nothing but the
// constants. The other tables must give its bits (float32) or come close to it (bfloat16).
#pragma once

#include "kernels/api.h"

namespace hearth {

extern const Kernels kRefKernels;

namespace ref {

// The lane rule of api.h. Element i of a dot product goes to lane i % 16.
struct Lanes {
  float lane[16] = {};
  float sum() const;  // the tree
};

float dot(const float* a, const float* b, int64_t count);

float exp(float x);
float tanh(float x);
float sigmoid_times(float x, float z);  // x * sigmoid(z)

uint16_t to_bf16(float x);
float from_bf16(uint16_t x);
uint16_t to_f16(float x);
float from_f16(uint16_t x);

void mix(const float* x, float* out, int64_t count, int64_t run);

void attention(const AttentionArgs& args);

}  // namespace ref
}  // namespace hearth
