import { describe, expect, it } from 'vitest';
import { formatFixed, formatNumber } from '../../src/base/number-text.js';

describe('a number as text', () => {
  it.each([
    [0, '0'],
    [-0, '0'],
    [0.5, '0.5'],
    [-1234.56789, '-1,234.568'],
    [0.000123456, '0.00012'],
    [1e-300, '1.0e-300'],
    [5e-324, '4.9e-324'],
    [999_999_999_999_999, '999,999,999,999,999'],
    [1e15, '1e+15'],
    [-1.23456789e300, '-1.23457e+300'],
    [Number.MAX_VALUE, '1.79769e+308'],
    [Infinity, 'Infinity'],
    [-Infinity, '-Infinity'],
    [NaN, 'NaN'],
  ])('%d is %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it('has no decimals if none are wanted', () => {
    expect([0.4, -0.4, 1e-300, 1234.5, 1e300].map((value) => formatNumber(value, 0))).toEqual(['0', '0', '0', '1,235', '1e+300']); // prettier-ignore
  });

  it('has a fixed number of decimals where numbers stand below each other', () => {
    const values = [0.95, -0, -0.00001, 1e-300, 12, 1e300, Infinity, NaN];
    expect(values.map((value) => formatFixed(value, 4))).toEqual(['0.9500', '0.0000', '0.0000', '0.0000', '12.0000', '1e+300', 'Infinity', 'NaN']); // prettier-ignore
  });
});
