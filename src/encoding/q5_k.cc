#include "encoding/q5_k.h"

#include "encoding/affine_search.h"
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

void encode_block(const Values& v, BlockQ5_K& block) {
  const AffineGroups fit = fit_affine_groups(v, {8, 31, 63});
  block.d = fit.d;
  block.dmin = fit.dmin;
  block.scales.set(fit.scale.data(), fit.min.data());
  for (int n = 0; n < 256; ++n) {
    const int low = fit.level[n] & 15, high = fit.level[n] >> 4;
    block.qs[n / 64 * 32 + n % 32] |= static_cast<uint8_t>(low << (n / 32 % 2 * 4));
    block.qh[n % 32] |= static_cast<uint8_t>(high << (n / 32));
  }
}

}  // namespace

const Encoding k_q5_k{"Q5_K", 13, BlockQ5_K::kElems, sizeof(BlockQ5_K),
                      decode_blocks<BlockQ5_K, decode_block>,
                      encode_blocks<BlockQ5_K, encode_block>};

}  // namespace hearth
