import { BusError } from '@rpal/bus';
import { createMachine, executable } from '@rpal/kernel';
import { describe, expect, it } from 'vitest';
import { rpal, rpalOf } from '../src/index.js';
import { finish, smallProfile, world } from './world.js';

describe('the plugin', () => {
  it('refuses a processor without protection keys or user-mode FS base access, and says what is lacking', () => {
    const without = (feature: 'pku' | 'fsgsbase') => ({
      ...smallProfile(),
      features: { ...smallProfile().features, [feature]: false },
    });
    expect(() => createMachine({ profile: without('pku'), plugins: [rpal()] })).toThrow(/protection keys/);
    expect(() => createMachine({ profile: without('fsgsbase'), plugins: [rpal()] })).toThrow(/FSGSBASE/);
  });

  it('names the quirk that does not exist', () => {
    expect(() => createMachine({ plugins: [rpal({ repair: ['no-such-quirk' as never] })] })).toThrow(/repair/);
  });

  it('is missed by name when a machine was built without it', () => {
    expect(() => rpalOf(createMachine({ profile: smallProfile() }))).toThrow(BusError);
  });

  it('leaves programs that are no RPAL binaries alone', () => {
    const plain = createMachine({ profile: smallProfile() });
    const { machine } = world();
    for (const each of [plain, machine]) {
      each.spawn(
        executable('plain', function* (p) {
          const memory = yield* p.allocate(8192);
          yield* p.store64(memory, 1);
          yield* p.sleep(5e6);
          yield* p.compute(1e6);
        }),
      );
      finish(each);
    }
    expect(machine.fingerprint()).toBe(plain.fingerprint());
  });
});
