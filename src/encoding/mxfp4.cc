#include "encoding/mxfp4.h"

#include "encoding/block_codec.h"
#include "encoding/encoding.h"
#include "encoding/scale_search.h"

namespace hearth {
namespace {

void decode_block(const BlockMXFP4& block, float* out) {
  const float d = mxfp4_half_scale(block.e);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(kMxfp4Levels[block.qs[i] & 15]);
    out[i + 16] = d * static_cast<float>(kMxfp4Levels[block.qs[i] >> 4]);
  }
}

// The code whose level is nearest to v.
int nearest_code(float v) {
  const float size = std::fabs(v);
  int code = 0;
  for (int next = 1; next < 8; ++next) {
    const int middle = kMxfp4Levels[next - 1] + kMxfp4Levels[next];
    if (2 * size > static_cast<float>(middle)) code = next;
  }
  return v < 0 && code != 0 ? code | 8 : code;
}

void encode_block(const Values& v, BlockMXFP4& block) {
  const float top = std::fabs(greatest(v));
  if (top == 0) return;
  // The greatest lands between 4 and 8 of 6 at most; also try the powers beside that one.
  const int middle = std::ilogb(top) - 2 + 127;
  double least = HUGE_VAL;
  for (int e = std::max(middle - 1, 0); e <= std::clamp(middle + 1, 0, 254); ++e) {
    const double d = mxfp4_half_scale(static_cast<uint8_t>(e));
    double error = 0;
    for (int i = 0; i < 32; ++i) {
      const double off = d * kMxfp4Levels[nearest_code(static_cast<float>(v.x[i] / d))] - v.x[i];
      error += v.weight[i] * off * off;
    }
    // Levels up to 12: a scale that would make infinity is no candidate.
    if (error >= least || d * 12 > FLT_MAX) continue;
    least = error;
    block.e = static_cast<uint8_t>(e);
  }
  const double d = mxfp4_half_scale(block.e);
  for (int i = 0; i < 16; ++i) {
    const int low = nearest_code(static_cast<float>(v.x[i] / d));
    const int high = nearest_code(static_cast<float>(v.x[i + 16] / d));
    block.qs[i] = static_cast<uint8_t>(low | high << 4);
  }
}

}  // namespace

const Encoding k_mxfp4{"MXFP4", 39, BlockMXFP4::kElems, sizeof(BlockMXFP4),
                       decode_blocks<BlockMXFP4, decode_block>,
                       encode_blocks<BlockMXFP4, encode_block>};

}  // namespace hearth
