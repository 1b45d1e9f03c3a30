import { library } from '../../tsup.base.ts';

export default library({ entry: ['src/cli.ts', 'src/perf.ts'], dts: false });
