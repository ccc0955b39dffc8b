#include "encoding/q4_k.h"

#include "encoding/affine_search.h"
#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"

namespace hearth {
namespace {

void decode_block(const BlockQ4_K& block, float* out) {
  const float d = f16_to_f32(block.d);
  const float dmin = f16_to_f32(block.dmin);
  for (int g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(block.scales.scale(g));
    const float min = dmin * static_cast<float>(block.scales.min(g));
    const uint8_t* qs = block.qs + g / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const int q = (qs[i] >> (g % 2 * 4)) & 15;
      out[32 * g + i] = scale * static_cast<float>(q) - min;
    }
  }
}

void encode_block(const Values& v, BlockQ4_K& block) {
  const AffineGroups fit = fit_affine_groups(v, {8, 15, 63});
  block.d = fit.d;
  block.dmin = fit.dmin;
  block.scales.set(fit.scale.data(), fit.min.data());
  for (int n = 0; n < 256; ++n) {
    block.qs[n / 64 * 32 + n % 32] |= static_cast<uint8_t>(fit.level[n] << (n / 32 % 2 * 4));
  }
}

}  // namespace

const Encoding k_q4_k{"Q4_K", 12, BlockQ4_K::kElems, sizeof(BlockQ4_K),
                      decode_blocks<BlockQ4_K, decode_block>,
                      encode_blocks<BlockQ4_K, encode_block>};

}  // namespace hearth
