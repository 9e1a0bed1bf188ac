import { testProcedures } from './procedures.ts';

testProcedures('gvisor');
testProcedures('bubblewrap');
testProcedures('crun');
