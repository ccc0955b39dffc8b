#include "encoding/iq4_xs.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/iq4_nl.h"
#include "encoding/scale_search.h"

namespace hearth {
namespace {

void decode_block(const BlockIQ4_XS& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(block.scale(g) - 32);
    const uint8_t* qs = block.qs + 16 * g;
    for (int i = 0; i < 16; ++i) {
      out[32 * g + i] = scale * static_cast<float>(kIq4Levels[qs[i] & 15]);
      out[32 * g + 16 + i] = scale * static_cast<float>(kIq4Levels[qs[i] >> 4]);
    }
  }
}

void encode_block(const Values& v, BlockIQ4_XS& block) {
  const TableLevels levels(kIq4Levels);
  const GroupFit fit = fit_groups(v, levels, {8, -32, 31},
                                  {-127, 0.01f, 12, true});
  block.d = fit.d;
  for (int g = 0; g < 8; ++g) {
    const int scale = fit.scale[g] + 32;
    block.scales_l[g / 2] |= static_cast<uint8_t>((scale & 15) << (g % 2 * 4));
    block.scales_h |= static_cast<uint16_t>(scale >> 4 << (2 * g));
    const float inverse = inverse_or_zero(fit.group_scale(g));
    for (int i = 0; i < 16; ++i) {
      const int low = levels.nearest_index(v.x[32 * g + i] * inverse);
      const int high = levels.nearest_index(v.x[32 * g + 16 + i] * inverse);
      block.qs[16 * g + i] = static_cast<uint8_t>(low | high << 4);
    }
  }
}

}  // namespace

const Encoding k_iq4_xs{"IQ4_XS", 23, BlockIQ4_XS::kElems, sizeof(BlockIQ4_XS),
                        decode_blocks<BlockIQ4_XS, decode_block>,
                        encode_blocks<BlockIQ4_XS, encode_block>};

}  // namespace hearth
