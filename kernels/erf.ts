/**
 * The error function in WGSL, which has no builtin for it, and the exact GELU made from it.
 *
 *   erf(x) = 2/√π ∫₀ˣ e^(−s²) ds        Φ(x) = (1 + erf(x/√2)) / 2
 *   gelu(x) = x·Φ(x)                     gelu′(x) = Φ(x) + x·e^(−x²/2)/√(2π)
 *
 * Two polynomials, fitted by us for the smallest largest error (Lawson's reweighted least squares):
 *   |x| ≤ 0.93   erf(x)  = x + x·P(x²)      relative error of the polynomial 1.7e-8
 *   |x| > 0.93   erfc(x) = e^(x·Q(x))       absolute error of the polynomial 7e-10
 * Q goes on falling past its fitted range (4.05), so erfc(x) runs to 0 there.
 *
 * Numerics: in f32 the largest absolute error of erf is about 1e-7 (one unit in the last place near 1). Φ
 * takes the negative tail from erfc directly, not from 1 + erf, so nothing cancels and gelu(−6) is not
 * rounded to zero. Both polynomials are evaluated and one is selected: no branch, which CPU drivers and GPUs
 * both like.
 */
export const erfWgsl = /* wgsl */ `
// erf(x) for |x| <= 0.93.
fn erfNearZero(x: f32) -> f32 {
  let s = x * x;
  var p = fma(-5.953869549547566e-4, s, 4.985971376299858e-3);
  p = fma(p, s, -2.6761746034026146e-2);
  p = fma(p, s, 1.1281683295965195e-1);
  p = fma(p, s, -3.761247992515564e-1);
  p = fma(p, s, 1.2837915122509003e-1);
  return fma(p, x, x);
}

// 1 - erf(t) for t > 0.93. The clamp keeps e^(t·Q) away from infinities; erfc(10) is 0 in f32.
fn erfcTail(magnitude: f32) -> f32 {
  let t = min(magnitude, 10.0);
  var q = fma(-1.2377462553558871e-5, t, 3.338136593811214e-4);
  q = fma(q, t, -3.68551816791296e-3);
  q = fma(q, t, 2.38498505204916e-2);
  q = fma(q, t, -1.0633532702922821e-1);
  q = fma(q, t, -6.350936889648438e-1);
  q = fma(q, t, -1.1286622285842896);
  return exp(q * t);
}

fn erf(x: f32) -> f32 {
  let tail = sign(x) * (1.0 - erfcTail(abs(x)));
  return select(tail, erfNearZero(x), abs(x) <= 0.93);
}

// Distribution function of the standard normal.
fn normalCdf(x: f32) -> f32 {
  let z = x * 0.7071067811865476;
  let halfTail = 0.5 * erfcTail(abs(z));
  let tail = select(1.0 - halfTail, halfTail, z < 0.0);
  return select(tail, fma(0.5, erfNearZero(z), 0.5), abs(z) <= 0.93);
}

fn geluExact(x: f32) -> f32 {
  return x * normalCdf(x);
}

fn geluDerivative(x: f32) -> f32 {
  let bounded = clamp(x, -20.0, 20.0);
  let density = 0.3989422804014327 * exp(-0.5 * bounded * bounded);
  return fma(bounded, density, normalCdf(x));
}
`
