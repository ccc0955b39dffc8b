#include "encoding/iq2_xxs.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/iq_grids.h"

namespace hearth {
namespace {

void unpack_block(const BlockIQ2_XXS& block, int8_t* codes, float* scales) {
  const float d = f16_to_f32(block.d);
  for (int part = 0; part < 8; ++part) {
    const uint16_t* qs = block.qs + 4 * part;
    const uint32_t bits = qs[2] | uint32_t{qs[3]} << 16;
    scales[2 * part] = d * (0.5f + static_cast<float>(bits >> 28)) * 0.25f;
    scales[2 * part + 1] = scales[2 * part];
    for (int g = 0; g < 4; ++g, codes += 8) {
      const int point = (qs[g / 2] >> (g % 2 * 8)) & 255;
      iq2_codes(kIq2XxsGrid[point], iq_signs(bits >> (7 * g) & 127), codes);
    }
  }
}

}  // namespace

const Encoding k_iq2_xxs{"IQ2_XXS", 16, BlockIQ2_XXS::kElems, sizeof(BlockIQ2_XXS),
                         decode_unpacked<BlockIQ2_XXS, unpack_block>, nullptr,
                         unpack_bytes<BlockIQ2_XXS, unpack_block>};

}  // namespace hearth
