#include "encoding/iq3_xxs.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/half.h"
#include "encoding/iq_grids.h"

namespace hearth {
namespace {

void unpack_block(const BlockIQ3_XXS& block, int8_t* codes, float* scales) {
  const float d = f16_to_f32(block.d);
  for (int k = 0; k < 32; ++k) {
    const int part = k / 4;
    const uint32_t bits = block.parts[2 * part] | uint32_t{block.parts[2 * part + 1]} << 16;
    scales[k / 2] = d * (0.5f + static_cast<float>(bits >> 28)) * 0.5f;
    const uint8_t signs = iq_signs(bits >> (k % 4 * 7) & 127);
    for (int i = 0; i < 8; ++i) {
      const uint16_t point = kIq3XxsGrid[block.points[2 * k + i / 4]];
      codes[8 * k + i] = iq_signed(kIq3XxsLevels[(point >> (i % 4 * 3)) & 7], signs, i);
    }
  }
}

}  // namespace

const Encoding k_iq3_xxs{"IQ3_XXS", 18, BlockIQ3_XXS::kElems, sizeof(BlockIQ3_XXS),
                         decode_unpacked<BlockIQ3_XXS, unpack_block>, nullptr,
                         unpack_bytes<BlockIQ3_XXS, unpack_block>};

}  // namespace hearth
