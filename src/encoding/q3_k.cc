#include "encoding/q3_k.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/scale_search.h"

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

void encode_block(const Values& v, BlockQ3_K& block) {
  const IntegerLevels levels{-4, 3};
  const GroupFit fit = fit_groups(v, levels, {16, -32, 31},
                                  {-4, 0.025f, 10, true});
  block.d = fit.d;
  for (int g = 0; g < 16; ++g) {
    const int scale = fit.scale[g] + 32;
    block.scales[g % 8] |= static_cast<uint8_t>((scale & 15) << (g / 8 * 4));
    block.scales[8 + g % 4] |= static_cast<uint8_t>(scale >> 4 << (g / 4 * 2));
    const float inverse = inverse_or_zero(fit.group_scale(g));
    for (int n = 16 * g; n < 16 * g + 16; ++n) {
      const int q = static_cast<int>(levels.nearest(v.x[n] * inverse)) + 4;
      block.qs[n / 128 * 32 + n % 32] |= static_cast<uint8_t>((q & 3) << (n % 128 / 32 * 2));
      block.hmask[n % 32] |= static_cast<uint8_t>(q >> 2 << (n / 32));
    }
  }
}

}  // namespace

const Encoding k_q3_k{"Q3_K", 11, BlockQ3_K::kElems, sizeof(BlockQ3_K),
                      decode_blocks<BlockQ3_K, decode_block>,
                      encode_blocks<BlockQ3_K, encode_block>};

}  // namespace hearth
