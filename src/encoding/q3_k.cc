#include "encoding/q3_k.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockQ3_K& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int v = 0; v < 256; ++v) {
    const float scale = d * static_cast<float>(block.scale(v / 16) - 32);
    const int low = (block.qs[v / 128 * 32 + v % 32] >> (v % 128 / 32 * 2)) & 3;
    const int high = (block.hmask[v % 32] >> (v / 32)) & 1;
    out[v] = scale * static_cast<float>((low | high << 2) - 4);
  }
}

}  // namespace

const Encoding k_q3_k{"Q3_K", 11, BlockQ3_K::kElems, sizeof(BlockQ3_K),
                         decode_blocks<BlockQ3_K, decode_block>, nullptr};

}  // namespace hearth
