#include "encoding/q6_k.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockQ6_K& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int v = 0; v < 256; ++v) {
    const int h = v / 128, s = v % 128 / 32, i = v % 32;
    const float scale = d * static_cast<float>(block.scales[v / 16]);
    const int low = (block.ql[64 * h + 32 * (s % 2) + i] >> (s / 2 * 4)) & 15;
    const int high = (block.qh[32 * h + i] >> (2 * s)) & 3;
    out[v] = scale * static_cast<float>((low | high << 4) - 32);
  }
}

}  // namespace

const Encoding k_q6_k{"Q6_K", 14, BlockQ6_K::kElems, sizeof(BlockQ6_K),
                         decode_blocks<BlockQ6_K, decode_block>, nullptr};

}  // namespace hearth
