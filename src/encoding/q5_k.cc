#include "encoding/q5_k.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockQ5_K& block, float* out) {
  const float d = f16_to_f32(block.d);
  const float dmin = f16_to_f32(block.dmin);
  for (int g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(block.scales.scale(g));
    const float min = dmin * static_cast<float>(block.scales.min(g));
    const uint8_t* qs = block.qs + g / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const int low = (qs[i] >> (g % 2 * 4)) & 15;
      const int high = (block.qh[i] >> g) & 1;
      out[32 * g + i] = scale * static_cast<float>(low | high << 4) - min;
    }
  }
}

}  // namespace

const Encoding k_q5_k{"Q5_K", 13, BlockQ5_K::kElems, sizeof(BlockQ5_K),
                         decode_blocks<BlockQ5_K, decode_block>, nullptr};

}  // namespace hearth
