import { testContract } from './contract.ts';

testContract('bubblewrap');
