#include "encoding/tq1_0.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

constexpr int kPowersOf3[5] = {1, 3, 9, 27, 81};

// The value of digit n of a byte: -1, 0 or 1.
int trit(uint8_t byte, int n) {
  const int fraction = (byte * kPowersOf3[n]) & 255;
  return (fraction * 3 >> 8) - 1;
}

void decode_block(const BlockTQ1_0& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int n = 0; n < 5; ++n) {
    for (int i = 0; i < 32; ++i) {
      out[32 * n + i] = d * static_cast<float>(trit(block.qs[i], n));
    }
    for (int i = 0; i < 16; ++i) {
      out[160 + 16 * n + i] = d * static_cast<float>(trit(block.qs[32 + i], n));
    }
  }
  for (int n = 0; n < 4; ++n) {
    for (int i = 0; i < 4; ++i) {
      out[240 + 4 * n + i] = d * static_cast<float>(trit(block.qh[i], n));
    }
  }
}

}  // namespace

const Encoding k_tq1_0{"TQ1_0", 34, BlockTQ1_0::kElems, sizeof(BlockTQ1_0),
                         decode_blocks<BlockTQ1_0, decode_block>, nullptr};

}  // namespace hearth
