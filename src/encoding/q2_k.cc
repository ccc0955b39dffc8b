#include "encoding/q2_k.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockQ2_K& block, float* out) {
  const float d = f16_to_f32(block.d);
  const float dmin = f16_to_f32(block.dmin);
  for (int v = 0; v < 256; ++v) {
    const uint8_t packed = block.scales[v / 16];
    const float scale = d * static_cast<float>(packed & 15);
    const float min = dmin * static_cast<float>(packed >> 4);
    const int q = (block.qs[v / 128 * 32 + v % 32] >> (v % 128 / 32 * 2)) & 3;
    out[v] = scale * static_cast<float>(q) - min;
  }
}

}  // namespace

const Encoding k_q2_k{"Q2_K", 10, BlockQ2_K::kElems, sizeof(BlockQ2_K),
                         decode_blocks<BlockQ2_K, decode_block>, nullptr};

}  // namespace hearth
