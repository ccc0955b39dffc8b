#include "encoding/f32.h"

#include <cstring>

#include "encoding/encoding.h"

namespace hearth {
namespace {

void decode(const std::byte* blocks, float* out, size_t elems) {
  if (elems != 0) std::memcpy(out, blocks, elems * sizeof(float));
}

// A copy of the bits, whatever they are: this format loses nothing.
void encode(const float* in, std::byte* blocks, size_t elems, const float*) {
  if (elems != 0) std::memcpy(blocks, in, elems * sizeof(float));
}

}  // namespace

const Encoding k_f32{"F32", 0, BlockF32::kElems, sizeof(BlockF32), decode, encode};

}  // namespace hearth
