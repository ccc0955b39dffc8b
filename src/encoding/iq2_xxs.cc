#include "encoding/iq2_xxs.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/iq_grids.h"

namespace hearth {
namespace {

void decode_block(const BlockIQ2_XXS& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (int part = 0; part < 8; ++part) {
    const uint16_t* qs = block.qs + 4 * part;
    const uint32_t bits = qs[2] | uint32_t{qs[3]} << 16;
    const float scale = d * (0.5f + static_cast<float>(bits >> 28)) * 0.25f;
    for (int g = 0; g < 4; ++g) {
      const int point = (qs[g / 2] >> (g % 2 * 8)) & 255;
      decode_iq2_group(scale, kIq2XxsGrid[point], iq_signs(bits >> (7 * g) & 127), out);
      out += 8;
    }
  }
}

}  // namespace

const Encoding k_iq2_xxs{"IQ2_XXS", 16, BlockIQ2_XXS::kElems, sizeof(BlockIQ2_XXS),
                         decode_blocks<BlockIQ2_XXS, decode_block>, nullptr};

}  // namespace hearth
