// The tanh activation and its derivative for the target being compiled; after sine-inl.h. No include guard on purpose:
// see kernels.cpp.

HWY_BEFORE_NAMESPACE();
namespace loe::cpu::HWY_NAMESPACE {

void tanh(const TanhArgs& args) {
  const DF d;
  const VF one = hn::Set(d, 1.0F);
  const auto offset = [](auto* p, int i) HWY_ATTR { return p == nullptr ? nullptr : p + i; };
  for (int i = 0; i < args.n; i += kLanes) {
    const VF x = hn::LoadU(d, args.x + i);
    // Highway's bounds its argument by a minimum, which may turn a NaN into a number.
    const VF y = hn::IfThenElse(hn::IsNaN(x), x, hn::Tanh(d, x));
    store_both(d, y, offset(args.y32, i), offset(args.y16, i));
    if (args.dy32 != nullptr || args.dy16 != nullptr) {
      store_both(d, hn::Sub(one, hn::Mul(y, y)), offset(args.dy32, i), offset(args.dy16, i));
    }
  }
}

}  // namespace loe::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
