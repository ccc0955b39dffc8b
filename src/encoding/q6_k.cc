#include "encoding/q6_k.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/scale_search.h"

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

void encode_block(const Values& v, BlockQ6_K& block) {
  const IntegerLevels levels{-32, 31};
  const GroupFit fit = fit_groups(v, levels, {16, -128, 127},
                                  {-32, 0.004f, 12, true});
  block.d = fit.d;
  for (int n = 0; n < 256; ++n) {
    const int h = n / 128, s = n % 128 / 32, i = n % 32;
    const float inverse = inverse_or_zero(fit.group_scale(n / 16));
    const int q = static_cast<int>(levels.nearest(v.x[n] * inverse)) + 32;
    block.ql[64 * h + 32 * (s % 2) + i] |= static_cast<uint8_t>((q & 15) << (s / 2 * 4));
    block.qh[32 * h + i] |= static_cast<uint8_t>(q >> 4 << (2 * s));
  }
  for (int g = 0; g < 16; ++g) block.scales[g] = static_cast<int8_t>(fit.scale[g]);
}

}  // namespace

const Encoding k_q6_k{"Q6_K", 14, BlockQ6_K::kElems, sizeof(BlockQ6_K),
                      decode_blocks<BlockQ6_K, decode_block>,
                      encode_blocks<BlockQ6_K, encode_block>};

}  // namespace hearth
